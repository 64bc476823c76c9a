"""The unit layer needs Python and its packages, and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

_AS_NOBODY = (
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    # The checkout and Python may be root's alone to read; there is nothing else that this lets it do.
    "--bounding-set=-all,+dac_read_search",
    "--inh-caps=-all,+dac_read_search",
    "--ambient-caps=-all,+dac_read_search",
)
_A_PART_OF_EACH_KIND = ("kit", "runtime/conformance/test_sandbox_commands.py", "secret", "devbox/test_restarts.py")


def test_it_runs_as_nobody_without_a_network(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LOOPYARD_", "RUNLOOP_"))}
    ended = subprocess.run(
        [
            *("unshare", "--net", *_AS_NOBODY, sys.executable, "-m", "pytest", "-p", "no:cacheprovider"),
            *("--basetemp", str(home / "tests")),
            *(str(ROOT / "tests/unit" / part) for part in _A_PART_OF_EACH_KIND),
        ],
        cwd=ROOT,
        env={**kept, "HOME": str(home), "TMPDIR": str(home), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-2000:]
    assert " passed" in ended.stdout
    assert "skipped" not in ended.stdout
