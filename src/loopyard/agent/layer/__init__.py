"""Disks with agents installed on them, made once, from which the devboxes that have these agents start."""
