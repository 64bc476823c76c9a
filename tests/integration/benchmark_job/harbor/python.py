"""Where a Python is that Harbor can run on."""

import os
import shutil
import subprocess
from pathlib import Path

OLDEST = (3, 12)


def folder() -> Path | None:
    """The folder of a Python of version 3.12 or later: of the system's, or of pyenv's; None without one."""
    candidates = [shutil.which(f"python3.{minor}") for minor in range(12, 20)]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates += [str(path) for path in sorted(pyenv.glob("3.*/bin/python3"))]
    for candidate in candidates:
        if candidate is not None and _version(candidate) >= OLDEST:
            return Path(candidate).parent
    return None


def _version(program: str) -> tuple[int, int]:
    """(0, 0) for what does not run, such as pyenv's stand-ins."""
    asked = "import sys; print(*sys.version_info[:2])"
    told = subprocess.run([program, "-c", asked], capture_output=True, text=True, check=False)
    major, minor = told.stdout.split() if told.returncode == 0 else ("0", "0")
    return int(major), int(minor)
