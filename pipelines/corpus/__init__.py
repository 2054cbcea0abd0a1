"""The corpus: URIs become files, a plan, and Arrow tables of rows, unit by unit.

The data's way, a module a step: `inputs` (which files), `formats` (a name's format; `first_bytes`, what the file
holds instead), `partitions` (the columns in its path), `survey` (one file's `parquet_footer` or `samples` of its lines,
and its `column_types`), `cut` (its slices), `numbering` (numbers, and the one schema), `plan` (all of it; `plan_types`
its data, `plan_file` its bytes), `changes` since and `extend` (the plan follows them); then `decompress` and `lines`
(bytes become lines), `json_rows` (and `json_problem`), `csv_rows`, `text_rows`, `parquet_rows` (a format's rows, good
and rejected), `rows` (a unit's tables), `readers` (a slice, or a stream's slices), `datasource` (the same as a Ray
Dataset).
"""
