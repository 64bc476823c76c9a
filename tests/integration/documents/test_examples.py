"""Examples of the documents that are marked `<!-- runnable -->` run, all against one server."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving import ServerProcess

ROOT = Path(__file__).parents[3]
_EXAMPLE = re.compile(
    r"^<!-- runnable -->\n```(python|shell)\n(.*?)^```\n(?:\nIt prints `(.*?)`)?", re.MULTILINE | re.DOTALL
)
_PRELUDE = "from runloop_api_client import Runloop\nclient = Runloop()\n"
PAGES = {
    str(page.relative_to(ROOT)): found
    for page in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
    if (found := _EXAMPLE.findall(page.read_text()))
}


@pytest.fixture(scope="module")
def environment(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables of a user of the server, with `loopyard` in PATH."""
    programs = tmp_path_factory.mktemp("programs")
    (programs / "loopyard").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m loopyard "$@"\n')
    (programs / "loopyard").chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "RUNLOOP_BASE_URL": server.base_url,
        "RUNLOOP_API_KEY": server.api_key,
        "LOOPYARD_DATA_DIR": str(server.data_dir),
    }


def run(arguments: list[str], environment: dict[str, str], folder: Path) -> str:
    ended = subprocess.run(
        arguments,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    return ended.stdout


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_a_page_run(page: str, environment: dict[str, str], tmp_path: Path) -> None:
    examples = PAGES[page]
    if script := "".join(code for language, code, _ in examples if language == "python"):
        printed = run([sys.executable, "-c", _PRELUDE + script], environment, tmp_path)
        for _, _, told in examples:
            assert not told or told in printed.splitlines()
    for language, code, _ in examples:
        if language == "shell":
            run(["/bin/bash", "-euo", "pipefail", "-c", code], environment, tmp_path)


def test_pages_of_every_kind_have_runnable_examples() -> None:
    assert {"README.md", "docs/axons.md", "docs/gateways.md", "docs/keys.md"} <= PAGES.keys()
