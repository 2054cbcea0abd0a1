"""The embedding job: what is missing from the output, a Ray Data pool of workers that makes it, the end.

The data's way, a module a step: `prepare` (job → what is missing), `tasks` (missing → tasks), `pool` (tasks → Ray
Data → records), `worker` (one task: read, encode, write), `progress` (records → totals), `embed` (all of it together).
"""
