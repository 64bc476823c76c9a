"""No committed file names a package host, or a folder of the machine it was written on."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# Single characters are written as sets, so that the patterns do not find themselves.
HOSTS = re.compile(r"pypi[.]org|python[h]osted|deb[.]debian|archive[.]ubuntu|npmjs[.]")
FOLDERS = re.compile(r"(?<![\w/.])/([w]ork/(main|shared|[.])|opt/[p]ypi|opt/[w]heels)|[.]p[y]env/")


def committed() -> list[Path]:
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "-C", ROOT, "ls-files", "-z"], capture_output=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("this is not a git checkout")
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("pattern", [HOSTS, FOLDERS], ids=["hosts", "folders"])
def test_nothing_of_one_machine_is_committed(pattern: re.Pattern[str]) -> None:
    files = committed()
    assert ROOT / "run" in files
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in files
        for match in pattern.finditer(path.read_text(errors="replace"))
    ]
    assert not found
