"""Keeps what lies beside a test file from taking its place, and notices when the file is changed while it is run."""

import glob
import hashlib
import os
import shutil
import tempfile
from typing import Dict, List, Optional, Sequence


def set_aside(sources: Sequence[str]) -> List[str]:
    """Move away what Python would import, or would run, in the place of a source: a package, an extension module or
    compiled code of the same name.

    Returns:
        What was moved.

    Raises:
        OSError: Something cannot be moved.
    """
    kept = {os.path.realpath(path) for path in sources}
    moved: List[str] = []
    aside: Optional[str] = None
    for source in sources:
        for path in _shadows(source):
            inside = os.path.join(os.path.realpath(path), "")
            if os.path.realpath(path) in kept or any(one.startswith(inside) for one in kept):
                continue
            aside = aside or tempfile.mkdtemp(prefix="loopyard-aside-")
            shutil.move(path, os.path.join(aside, str(len(moved))))
            moved.append(path)
    return moved


def _shadows(source: str) -> List[str]:
    stem, suffix = os.path.splitext(source)
    if suffix != ".py":
        return []
    folder, name = os.path.split(stem)
    stem, name = glob.escape(stem), glob.escape(name)
    found = glob.glob(stem + ".so") + glob.glob(stem + ".*.so") + glob.glob(stem + ".pyc")
    found += glob.glob(os.path.join(glob.escape(folder), "__pycache__", name + ".*.pyc"))
    if glob.glob(os.path.join(stem, "__init__.*")):
        found.append(os.path.join(folder, os.path.basename(source)[: -len(suffix)]))
    return found


class Unchanged:
    """The contents of files as they are now."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._digests: Dict[str, Optional[str]] = {path: _digest(path) for path in paths}

    def changed(self) -> List[str]:
        """Sources that have changed by now."""
        return [path for path, digest in self._digests.items() if _digest(path) != digest]


def _digest(path: str) -> Optional[str]:
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return None
