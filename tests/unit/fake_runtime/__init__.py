"""Sandboxes in the memory of this process: a disk of objects, a small shell, and programs that are functions."""
