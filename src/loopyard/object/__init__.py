"""Objects: files of any size that are uploaded once, and read by devboxes, builds and callers."""
