"""The host and its processes: limits, full disks, environment variables, files, failpoints."""
