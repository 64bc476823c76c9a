"""Use of the host by devboxes: totals of a life, and recent samples."""
