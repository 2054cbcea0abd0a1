"""What is wrong with this machine, or with the nodes of a cluster, before a job finds out."""
