"""Deletes folders that hostile commands have filled: they may be deeper than Python goes."""

import shutil
import subprocess
from pathlib import Path


def delete_folder(folder: Path) -> None:
    """Delete a folder with all that is in it, if it is there. What cannot be deleted stays."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:
        subprocess.run(["rm", "-rf", "--one-file-system", "--", str(folder)], check=False, capture_output=True)
