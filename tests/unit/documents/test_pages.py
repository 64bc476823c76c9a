"""Links between documents lead somewhere, and Python examples are Python."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "benchmarks/README.md"])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Anchors that code hosts give to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_to_files_and_headings(name: str) -> None:
    page = ROOT / name
    broken: list[str] = []
    for target in re.findall(r"\[[^\]\n]*\]\(([^)\s]+)\)", _FENCE.sub("", page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        to = (page.parent / path).resolve() if path else page
        if not to.exists() or (anchor and anchor not in anchors(to)):
            broken.append(target)
    assert not broken


@pytest.mark.parametrize("name", NAMES)
def test_documents_that_are_named_exist(name: str) -> None:
    named = re.findall(r"`(docs/[\w/.-]+\.md|tests/[\w/.-]+\.py|scripts/[\w.-]+)`", (ROOT / name).read_text())
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("name", NAMES)
def test_python_examples_are_python(name: str) -> None:
    for language, code in _FENCE.findall((ROOT / name).read_text()):
        if language == "python":
            ast.parse(code)


def test_every_decision_is_in_the_index_with_its_title() -> None:
    folder = ROOT / "docs/decisions"
    index = dict(re.findall(r"^\| \[\d{4}\]\((.+?)\) \| (.+) \|$", (folder / "README.md").read_text(), re.MULTILINE))
    titles = {page.name: page.read_text().split("\n", 1)[0].removeprefix("# ") for page in folder.glob("0*.md")}
    assert index == titles
