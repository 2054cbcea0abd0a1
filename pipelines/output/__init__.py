"""The output: shards, rejects, job.json, manifest; and what can be told, proved and found from these files alone.

Plain files: no Ray and no TensorFlow in here.
"""
