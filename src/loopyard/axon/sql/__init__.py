"""The private SQL database of each axon, run in worker processes that reach nothing else."""
