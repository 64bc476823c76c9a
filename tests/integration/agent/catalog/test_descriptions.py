"""Commands of the catalog, as Bash runs them."""

import subprocess
from pathlib import Path

import pytest

from loopyard.agent.catalog.loader import catalog

SHIPPED = {"oracle", "nop", "claude-code", "codex", "opencode", "gemini-cli", "mini-swe-agent"}


def test_every_kind_that_ships_is_there_and_is_valid_bash() -> None:
    assert set(catalog()) == SHIPPED
    for name, description in catalog().items():
        assert (description.install is None) == (name in ("oracle", "nop"))
        command = description.command("/tmp/a problem.md")
        checked = subprocess.run(["bash", "-n", "-c", command], capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, ""), name


@pytest.mark.parametrize(
    ("reference", "script"),
    [("--- a/file\n+++ b/file\n@@ -1 +1 @@\n-old\n+new\n", False), ("\necho new > file\n# --- a/file\n", True)],
)
def test_the_oracle_applies_patches_and_runs_scripts(tmp_path: Path, reference: str, script: bool) -> None:
    (tmp_path / "file").write_text("old\n")
    (tmp_path / "reference").write_text(reference)
    command = catalog()["oracle"].command(str(tmp_path / "reference"))
    subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "file").read_text() == "new\n"
