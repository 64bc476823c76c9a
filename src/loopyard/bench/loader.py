"""Reads a folder of scenarios. All faults are told at once, each with its file and key."""

import tomllib
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from loopyard.bench.definition import BenchmarkDefinition, ScenarioDefinition
from loopyard.bench.parts import Part
from loopyard.bench.scorers import SCORER_TYPES
from loopyard.bench.texts import NotText, read_exact, without_mark
from loopyard.kit.http.complaints import in_words

SCENARIO_FILE = "scenario.toml"
BENCHMARK_FILE = "benchmark.toml"

P = TypeVar("P", bound=Part)


class FolderFault(Exception):
    """The folder cannot be run. `faults` has one line for each thing that is wrong."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Suite:
    """A benchmark's name and text, and its scenarios in the order of their folders' names."""

    benchmark: BenchmarkDefinition
    scenarios: list[ScenarioDefinition]

    def only(self, names: Collection[str]) -> "Suite":
        """The same suite with the named scenarios; all of them when no name is given.

        Raises:
            FolderFault: A name is of no scenario here.
        """
        known = [scenario.name for scenario in self.scenarios]
        unknown = [name for name in names if name not in known]
        if unknown:
            raise FolderFault([f"no scenario is named {name!r}; there are: {', '.join(known)}" for name in unknown])
        kept = [scenario for scenario in self.scenarios if not names or scenario.name in names]
        return replace(self, scenarios=kept)


def load(folder: Path) -> Suite:
    """Read a set of scenario folders, or one scenario's own folder.

    Raises:
        FolderFault: Anything in it is missing, unreadable or wrong.
    """
    if not folder.is_dir():
        raise FolderFault([f"{folder} is not a folder; name one that holds scenario folders"])
    if (folder / SCENARIO_FILE).is_file():
        files = [folder / SCENARIO_FILE]
    else:
        files = sorted(folder.glob(f"*/{SCENARIO_FILE}"))
    if not files:
        raise FolderFault([f"{folder} has no {SCENARIO_FILE}, nor has any folder in it; see docs/scenario-folders.md"])
    faults: list[str] = []
    benchmark = BenchmarkDefinition(name=folder.resolve().name)
    if (folder / BENCHMARK_FILE).is_file():
        benchmark = _parse(folder / BENCHMARK_FILE, BenchmarkDefinition, faults) or benchmark
    found: dict[str, Path] = {}
    scenarios: list[ScenarioDefinition] = []
    for path in files:
        scenario = _parse(path, ScenarioDefinition, faults)
        if scenario is None:
            continue
        if scenario.name in found:
            faults.append(f"{path}: name: {scenario.name!r} is also the name in {found[scenario.name]}; change one")
        found[scenario.name] = path
        scenarios.append(scenario)
    if faults:
        raise FolderFault(faults)
    return Suite(benchmark, scenarios)


def _parse(path: Path, model: type[P], faults: list[str]) -> P | None:
    try:
        table = tomllib.loads(without_mark(read_exact(path)))
    except tomllib.TOMLDecodeError as error:
        faults.append(f"{path}: not valid TOML: {error}")
    except NotText as error:
        faults.append(f"{path}: {error}")
    except OSError as error:
        faults.append(f"{path}: cannot be read: {error.strerror}")
    else:
        try:
            return model.model_validate(table, context={"folder": path.parent})
        except ValidationError as error:
            faults.extend(f"{path}: {_fault(detail)}" for detail in error.errors(include_url=False))
    return None


def _fault(detail: Any) -> str:
    """Render a pydantic error as `key: what is wrong and what to do`. List positions count from 1."""
    key = ""
    for part in detail["loc"]:
        if key.endswith(".scorer") and part in SCORER_TYPES:
            continue  # pydantic's name for the kind of table, no key of the file
        key += f"[{part + 1}]" if isinstance(part, int) else f".{part}"
    key = key.lstrip(".")
    match detail["type"]:
        case "extra_forbidden":
            text = "this key is not known; remove it or correct its spelling (docs/scenario-folders.md lists the keys)"
        case "missing":
            text = "this key is required; add it"
        case "value_error":
            text = str(detail["ctx"]["error"])
        case _:
            words = in_words(detail)
            text = f"{words[0].lower()}{words[1:]}; correct this value"
    return f"{key}: {text}" if key else text
