"""Looks for a text in all that the processes of a devbox have in memory, from the host."""

import os
from pathlib import Path

_CHUNK_BYTES = 1 << 22


def processes_of(devbox_id: str) -> list[int]:
    """The ids, on the host, of all processes in a devbox's cgroup."""
    found: list[int] = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if devbox_id in (folder / "cgroup").read_text():
                    found.append(int(folder.name))
            except OSError:
                continue
    return found


def holds(pid: int, text: bytes) -> bool:
    """Whether the text is anywhere in what a process can read of its memory: its variables are a part of that."""
    folder = Path(f"/proc/{pid}")
    try:
        maps = (folder / "maps").read_text().splitlines()
        with (folder / "mem").open("rb", buffering=0) as memory:
            for line in maps:
                places, rights, *_ = line.split()
                if rights.startswith("r") and not line.endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                    first, _, end = places.partition("-")
                    if _is_between(memory.fileno(), int(first, 16), int(end, 16), text):
                        return True
    except (OSError, ValueError):
        pass  # it has ended meanwhile
    return False


def _is_between(memory: int, first: int, end: int, text: bytes) -> bool:
    place, kept = first, b""
    while place < end:
        try:
            chunk = os.pread(memory, min(_CHUNK_BYTES, end - place), place)
        except OSError:
            return False  # not there, such as what a file no longer backs
        if not chunk:
            return False
        if text in kept + chunk:
            return True
        kept, place = chunk[-len(text) :], place + len(chunk)
    return False
