"""This host: what it can do, the share of it that a server has, its cgroups, networks and file systems."""
