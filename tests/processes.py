"""Processes of a server, by what they run."""

import contextlib

import psutil


def descendants(pid: int, module: str) -> list[psutil.Process]:
    """The descendants of a process that run this Python module. Processes that end meanwhile are left out."""
    found: list[psutil.Process] = []
    for process in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # zombies too
            if module in process.cmdline():
                found.append(process)
    return found
