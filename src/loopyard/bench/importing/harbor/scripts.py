"""The Bash scripts that a Harbor task becomes: one that scores, one that solves.

They do what Harbor's verifier and its oracle do: unpack `tests` to `/tests` and `solution` to `/solution`, run the
script there as root, and read the reward that the tests leave in `/logs/verifier`.
"""

from collections.abc import Mapping

from loopyard.bench.importing.embedded import exports, unpack

_GRACE_SECONDS = 10

_REWARD = r"""
flat() { tr -d ' \t\r\n' < "$1"; }
found() { flat /logs/verifier/reward.json | sed -nE "$1"; }
if [ -s /logs/verifier/reward.json ]; then
    # A number under `reward`, the only number of an object, or a lone number.
    reward=$(found 's/^.*[{,]"reward":([-+0-9.eE]+)[,}].*$/\1/p')
    [ -n "$reward" ] || reward=$(found 's/^\{"[^"]*":([-+0-9.eE]+)\}$/\1/p')
    [ -n "$reward" ] || reward=$(found 's/^([-+0-9.eE]+)$/\1/p')
    [ -n "$reward" ] || { echo "reward.json has no number under 'reward'"; exit 1; }
elif [ -s /logs/verifier/reward.txt ]; then
    reward=$(flat /logs/verifier/reward.txt)
else
    echo "tests/test.sh left no reward in /logs/verifier/reward.txt or reward.json"
    exit 1
fi
echo "score=$reward"
"""


def scorer(tests: bytes, variables: Mapping[str, str], seconds: float) -> str:
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
{unpack(tests, "/tests")}chmod +x /tests/test.sh || exit 1
{exports(variables)}timeout --kill-after={_GRACE_SECONDS} {seconds:g} /tests/test.sh \
> /logs/verifier/test-stdout.txt 2>&1 < /dev/null
status=$?
tail -c 100000 /logs/verifier/test-stdout.txt | sed 's/^/| /'
echo
if [ "$status" -eq 124 ]; then echo "tests/test.sh did not end within {seconds:g} seconds"; exit 1; fi
{_REWARD}"""


def solution(files: bytes, variables: Mapping[str, str]) -> str:
    """Runs `solution/solve.sh`.

    Args:
        files: The folder `solution`, packed.
        variables: The solution's variables.
    """
    return f"""#!/bin/bash
# Made by `loopyard scenario import --harbor`.
mkdir -p /logs/agent || exit 1
{unpack(files, "/solution")}chmod +x /solution/solve.sh || exit 1
{exports({"DEBIAN_FRONTEND": "noninteractive", **variables})}exec /solution/solve.sh
"""
