"""Writes weights.json, the seconds of each test file, from the last run: `python -m tests.suite.record`."""

import json
from typing import Any

from tests.suite import durations
from tests.suite.plugin import WEIGHTS

_LEAST_SECONDS = 1.0
"""Lighter files are left out: the scheduler takes a file that it does not know for this."""


def main() -> None:
    tests: dict[str, Any] = json.loads(durations.LATEST.read_text())["tests"]
    files = durations.totals((durations.file_of(name), test["seconds"]) for name, test in tests.items())
    heavy = {name: round(seconds, 1) for name, seconds in sorted(files) if seconds > _LEAST_SECONDS}
    WEIGHTS.write_text(json.dumps(heavy, indent=1) + "\n")


if __name__ == "__main__":
    main()
