"""The embedding job: what is missing from the output, a Ray Data pool of workers that makes it, the end.

The data's way, a module a step: `found` (`job` → what its output holds), `prepare` (→ plan, and what is missing),
`tasks` (missing → tasks), `pool` (tasks → Ray Data → records), `worker` (one task: read, encode, write), `progress`
and `history` (records → totals, and what the report needs), `finish` (manifest, and old shards go), `report` (how the
run was), `embed` (all of it together). `retry` does the same for what was rejected.
"""
