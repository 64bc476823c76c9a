"""Reads what came of benchmark runs, on a server or in files, and says with what certainty one may believe it."""
