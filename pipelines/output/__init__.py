"""The output: shards, rejects, job.json, manifest; and what can be told, proved and found from these files alone.

`layout` names everything. Written, in this order: `job_file`, `rejects`, `shard` (its parts in `vectors`,
`shard_info`, `seal`), `manifest`. Read back: `planned` (job and plan), `footers`, `remaining`, `status`, `search`,
and `verify`, whose checks are `check_shard`, `check_files` and `check_manifest`; against the corpus, by its
`input_rows`, `check_input`; and for a deep look `repeated_ids` and `check_sample`. `other_runs` keeps apart those that
write here at the same time.

Plain files: no Ray and no TensorFlow in here.
"""
