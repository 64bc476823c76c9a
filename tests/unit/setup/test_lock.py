"""requirements.lock: what a fresh machine installs is exactly this, from wherever it gets its packages."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
LOCK = (ROOT / "requirements.lock").read_text()
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
WANTED: list[str] = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]


def pins() -> dict[str, tuple[str, list[str]]]:
    """Version and hashes of each locked package, by name."""
    found: dict[str, tuple[str, list[str]]] = {}
    for entry in re.split(r"\n(?=\S)", LOCK.strip()):
        requirement = Requirement(entry.split("\\")[0].strip())
        hashes = re.findall(r"--hash=sha256:([0-9a-f]{64})(?= |\n|$)", entry)
        found[canonicalize_name(requirement.name)] = (str(requirement.specifier), hashes)
    return found


def test_every_package_is_pinned_with_hashes() -> None:
    locked = pins()
    assert len(locked) > len(WANTED)
    for name, (version, hashes) in locked.items():
        assert re.fullmatch(r"==[^=*,]+", version), name
        assert hashes, name


@pytest.mark.parametrize("wanted", WANTED)
def test_what_the_project_asks_for_is_locked(wanted: str) -> None:
    requirement = Requirement(wanted)
    version, _ = pins()[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version.removeprefix("=="), prereleases=True)


def test_it_says_nothing_of_where_packages_come_from() -> None:
    for line in LOCK.splitlines():
        assert re.fullmatch(r"[a-z0-9-]+==\S+( ; .+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?", line), line


def test_what_builds_the_project_is_locked_too() -> None:
    names = {canonicalize_name(Requirement(line).name) for line in PROJECT["build-system"]["requires"]}
    assert names <= pins().keys()
