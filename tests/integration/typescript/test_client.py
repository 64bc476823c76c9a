"""The official TypeScript client, as its users have it, on a real server."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

PROGRAMS = sorted(path.name for path in (Path(__file__).parent / "programs").glob("*.mjs") if path.stem != "client")


def test_it_is_the_version_that_the_python_client_has(node_modules: Path) -> None:
    package = json.loads((node_modules / "@runloop/api-client/package.json").read_text())
    assert package["version"] == "1.32.0"


def test_its_lock_names_no_registry() -> None:
    packages = json.loads((Path(__file__).parent / "package-lock.json").read_text())["packages"]
    wanted = {name: one for name, one in packages.items() if name}
    assert len(wanted) > 1
    assert all(one["integrity"].startswith("sha512-") and "resolved" not in one for one in wanted.values())


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_program_runs(run: Callable[[str], str], program: str) -> None:
    assert run(program).splitlines()[-1] == "done"
