"""`encorpus embed` as a job of a Ray cluster: sent, named by its output, watched and ended from anywhere."""
