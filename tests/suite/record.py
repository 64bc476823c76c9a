"""Writes weights.json, the seconds of each test file, from the last run: `python -m tests.suite.record`."""

import json
from typing import Any

from tests.suite import durations
from tests.suite.plugin import WEIGHTS


def main() -> None:
    tests: dict[str, Any] = json.loads(durations.LATEST.read_text())["tests"]
    files = durations.totals((durations.file_of(name), test["seconds"]) for name, test in tests.items())
    kept = {name: round(seconds, 1) for name, seconds in sorted(files)}
    WEIGHTS.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
