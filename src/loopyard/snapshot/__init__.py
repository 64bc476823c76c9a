"""Snapshots: the disks of devboxes, kept."""
