"""Removes the folders of Harbor's jobs once they are over: what came of them is in the store."""

import logging
import shutil
from collections.abc import Collection
from pathlib import Path

from loopyard.benchmark_job.harbor.process import HarborProcess
from loopyard.runtime.layout import subfolders

log = logging.getLogger("loopyard.benchmark_job.harbor")


def sweep(folder: Path, unfinished: Collection[str]) -> None:
    """Remove the folder of every job that is not among the unfinished ones. Blocks as long as that takes."""
    for name in subfolders(folder):
        if name not in unfinished:
            remove(folder / name)


def remove(folder: Path) -> None:
    """Remove a job's folder, unless a process of Harbor's is still in it: then the next sweep does. Can be repeated."""
    if HarborProcess(folder).alive:
        log.warning("%s stays for now: a process of Harbor's that cannot be ended is in it", folder)
        return
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        log.warning("%s could not be removed: %s", folder, error)
