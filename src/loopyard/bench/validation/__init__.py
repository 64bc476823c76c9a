"""Tells sound scenarios from broken and flaky ones: by doing nothing, and by the known solution, more than once."""
