"""Keeps the reporter on Python's path."""

import re

_PATH = re.compile(r"(?<![\w$])PYTHONPATH=(?!=)")


def keeping_reporter(command: str, folder: str) -> str:
    """The command's text with the reporter's folder first wherever it sets PYTHONPATH."""
    return _PATH.sub(lambda found: "{}{}:".format(found.group(0), folder), command)
