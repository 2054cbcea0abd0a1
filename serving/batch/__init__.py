"""A batch job through live replicas: `through` and `calls` in the job's process, `batch_work` and `batch_lane` in each
replica."""
