"""The Bash scripts that a Harbor task becomes: one that scores, one that solves.

They do what Harbor's verifier and its oracle do: unpack `tests` to `/tests` and `solution` to `/solution`, run the
script there as root, and read the reward that the tests leave in `/logs/verifier`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from loopyard.bench.archive import BadFolder, pack
from loopyard.bench.importing.embedded import exports, unpack
from loopyard.bench.texts import script_bytes

TEST, SOLVE = "test.sh", "solve.sh"

_GRACE_SECONDS = 10
_RUN_BY_THEMSELVES = (b"#!", b"\x7fELF")


@dataclass(frozen=True, slots=True)
class Packed:
    """A folder with a script that is to be run. `command` runs it where the folder is unpacked at `/` and its name."""

    archive: bytes
    command: str


def packed(folder: Path, script: str) -> Packed:
    """A folder of a task. Its script runs although it was saved with `\\r\\n` or a byte order mark, and by Bash where
    its first line names no program, as Harbor runs it. All else in the folder is kept to the byte.

    Raises:
        BadFolder: The folder cannot be packed.
    """
    path = folder / script
    try:
        content = script_bytes(path.read_bytes())
    except OSError as error:
        raise BadFolder(f"{path} cannot be read: {error.strerror}") from error
    place = f"/{folder.name}/{script}"
    command = place if content.startswith(_RUN_BY_THEMSELVES) else f"bash {place}"
    return Packed(pack(folder, {path: content}), command)


def scorer(tests: Packed, variables: Mapping[str, str], seconds: float) -> str:
    """Runs `tests/test.sh` and gives its reward as the score. What it prints is shown with a bar before each line, so
    that nothing in it is taken for the score.

    Args:
        tests: The folder `tests`, packed.
        variables: The verifier's variables.
        seconds: For the script; a script that is out of time gives no score.
    """
    return f"""#!/bin/bash
# Made by `loopyard scenario import --harbor`.
rm -rf /logs/verifier && mkdir -p /logs/verifier /logs/agent /logs/artifacts || exit 1
{unpack(tests.archive, "/tests")}chmod +x /tests/test.sh || exit 1
{exports(variables)}timeout --kill-after={_GRACE_SECONDS} {seconds:g} {tests.command} \
> /logs/verifier/test-stdout.txt 2>&1 < /dev/null
status=$?
tail -c 100000 /logs/verifier/test-stdout.txt | sed 's/^/| /'
echo
if [ "$status" -eq 124 ]; then echo "tests/test.sh did not end within {seconds:g} seconds"; exit 1; fi
{_reward()}"""


def solution(solving: Packed, variables: Mapping[str, str]) -> str:
    """Runs `solution/solve.sh`.

    Args:
        solving: The folder `solution`, packed.
        variables: The solution's variables.
    """
    return f"""#!/bin/bash
# Made by `loopyard scenario import --harbor`.
mkdir -p /logs/agent || exit 1
{unpack(solving.archive, "/solution")}chmod +x /solution/solve.sh || exit 1
{exports({"DEBIAN_FRONTEND": "noninteractive", **variables})}exec {solving.command}
"""


def _reward() -> str:
    return files("loopyard.bench.importing.harbor").joinpath("reward.sh").read_text(encoding="utf-8")
