"""The disk that sandboxes write to, folders that they share, and what of the disk is used by what."""
