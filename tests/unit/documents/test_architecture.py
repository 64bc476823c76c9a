"""The architecture page draws the layers that `.importlinter` enforces, and names files that exist."""

import configparser
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/architecture.md").read_text()


def test_the_picture_shows_the_layers_of_the_contract() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    layers = contracts["importlinter:contract:layers"]["layers"].split("\n")
    drawn = re.findall(r'L\d+\["(.*?)"\]', PAGE)
    assert [set(layer.split(" | ")) for layer in layers if layer] == [set(layer.split(" · ")) for layer in drawn]


def test_the_picture_leads_from_each_layer_to_the_next() -> None:
    arrows = re.findall(r'(L\d+)(?:\[".*?"\])? --> (L\d+)', PAGE)
    assert [(f"L{at:02}", f"L{at + 1:02}") for at in range(1, len(arrows) + 1)] == arrows


def test_every_contract_is_explained() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    names = {
        section.rsplit(":", 1)[1] for section in contracts.sections() if section.startswith("importlinter:contract")
    }
    rules = PAGE.split("| rule |")[1].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)` \|$", rules, re.MULTILINE)) == names


def test_paths_in_pages_exist() -> None:
    missing = [
        f"{page.name}: {path}"
        for page in (ROOT / "docs/architecture.md", ROOT / "docs/glossary.md")
        for path in re.findall(r"`([\w/]+/[\w/.]*\w)`", page.read_text())
        if not (ROOT / "src/loopyard" / path).exists() and not (ROOT / path).exists()
    ]
    assert not missing
