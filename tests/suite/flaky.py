"""The list of flaky tests: those that failed and passed on a second try, each with its rate on this machine."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

MOST_IN_A_RUN = 2


class Entry(TypedDict):
    """A flaky test: how often it flaked, in how many runs that it was in since the first time, and when last."""

    flaked: int
    runs: int
    last: str


def list_path() -> Path:
    """Where the list is kept: outside of the checkout, so that runs of fresh clones add to it."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "loopyard" / "flaky-tests.json"


def read() -> dict[str, Entry]:
    try:
        return json.loads(list_path().read_text())
    except (OSError, ValueError):
        return {}


def add(tests: Sequence[str]) -> None:
    """Count a flake of each of these tests."""
    if not tests:
        return
    entries = read()
    for test in tests:
        entry = entries.setdefault(test, Entry(flaked=0, runs=0, last=""))
        entry["flaked"] += 1
        entry["last"] = time.strftime("%Y-%m-%d", time.gmtime())
    _write(entries)


def count_run(outcomes: Mapping[str, str]) -> None:
    """Count a run for each listed test that was in it."""
    entries = read()
    for test in entries.keys() & outcomes.keys():
        entries[test]["runs"] += 1
    if entries:
        _write(entries)


def _write(entries: Mapping[str, Entry]) -> None:
    path = list_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(dict(sorted(entries.items())), indent=1))
    new.replace(path)


def describe(test: str, first: str, second: str) -> str:
    """A flaky test by name, with the output of both tries."""
    return f"\n=== FLAKY {test}\n--- first try: failed\n{first}\n--- second try: passed\n{second or '(no output)'}"


def summarize(flaky: Sequence[str], failed_twice: int) -> str:
    """The lines that end a run with failures: how many failed twice, and which were flaky, with their rates."""
    entries = read()
    lines = [f"\n{failed_twice} failed twice, {len(flaky)} flaky (the list: {list_path().name})"]
    for test in flaky:
        entry = entries[test]
        lines.append(f"  flaky: {test} (flaked {entry['flaked']} times; in {entry['runs'] + 1} runs since listed)")
    if len(flaky) > MOST_IN_A_RUN:
        lines.append(f"More than {MOST_IN_A_RUN} flaky tests: the run has failed.")
    return "\n".join(lines)
