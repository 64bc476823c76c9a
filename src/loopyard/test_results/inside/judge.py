"""Runs a command that tests, and says what came of it. Imports nothing but this package and the standard library."""

import json
import os
import stat
import sys
import tempfile
from typing import Any, Dict, List, NoReturn, Sequence, Tuple

from . import process
from .environment import keeping_reporter
from .names import Results
from .outcomes import PASSING, Statuses, passed_files, statuses
from .readers import READERS
from .readers.unreadable import Unreadable
from .records import address
from .sessions import Listener, Session
from .sources import Unchanged, set_aside

_SHOWN_BYTES = 100_000
_READ_BYTES = 64 << 20
_FAILED = 1


class Refused(Exception):
    """The tests say nothing, for the reason of the message."""


def main() -> NoReturn:
    """Judge as the plan says, a JSON file that is the first argument, and end."""
    path = sys.argv[1]
    with open(path, "rb") as file:
        plan: Dict[str, Any] = json.loads(file.read().decode("utf-8"))
    judge = _score if plan["judge"] == "score" else _check
    status = judge(plan)
    sys.stdout.buffer.flush()
    os._exit(status)  # nothing is left to be run, and nothing may be


def _score(plan: Dict[str, Any]) -> int:
    """Print the score of a task: 1.0 if all tests that are named passed."""
    lists = [(name, plan[name]) for name in ("fail-to-pass", "pass-to-pass")]
    score = 0.0
    with tempfile.TemporaryFile() as output:
        try:
            results = _results(plan, output)
        except Refused as refusal:
            _show(output)
            _say("the results do not count: {}".format(refusal))
        else:
            _show(output)
            missing = [(name, results.missing(wanted)) for name, wanted in lists]
            for name, some in missing:
                if some:
                    _say("of {} did not pass:".format(name))
                for test, why in some:
                    _say("  {} ({})".format(test, why))
            score = 0.0 if any(some for _, some in missing) else 1.0
    if not process.end_descendants():
        _say("processes that the tests left running could not be ended")
        return _FAILED
    _say("score={}".format(score))
    return 0


def _results(plan: Dict[str, Any], output: Any) -> Results:
    """Run the command, and find out what it says of the tests.

    Raises:
        Refused: It says nothing that counts.
    """
    report = None if plan["results-file"] is None else _path(plan["directory"], plan["results-file"])
    if report is not None and os.path.lexists(report):
        os.unlink(report)
    _, sessions = _run(plan, output)
    process.end_descendants()
    if sessions and plan["results"] == "lines":
        return Results(statuses(sessions))
    if plan["reported"]:
        raise Refused("the command runs pytest or unittest, but what it runs did not report to the scorer")
    text = _end(output, _READ_BYTES) if report is None else _read(report)
    try:
        found: Statuses = READERS[plan["results"]](text.decode("utf-8-sig", "surrogateescape"))
    except Unreadable as fault:
        raise Refused("they cannot be read: {}".format(fault)) from fault
    return Results(found)


def _read(path: str) -> bytes:
    """A file that the tests wrote, if it is one.

    Raises:
        Refused: It is missing, or something else.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Refused("{} cannot be read: {}".format(path, error.strerror)) from error
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Refused("{} is no file".format(path))
        return file.read(_READ_BYTES)


def _end(output: Any, size: int) -> bytes:
    output.seek(max(0, output.seek(0, os.SEEK_END) - size))
    return output.read(size)


def _path(directory: str, path: str) -> str:
    """A path in the directory, whatever the locale."""
    return os.path.join(directory, os.fsdecode(path.encode("utf-8", "surrogateescape")))


def _check(plan: Dict[str, Any]) -> int:
    """Give the command's own exit status, but not 0 if the tests that it ran do not bear that out."""
    try:
        status, sessions = _run(plan, None)
        if status == 0 and (sessions or plan["reported"]):
            _bear_out(plan, sessions)
    except Refused as refusal:
        sys.stdout.buffer.flush()
        _say("[loopyard] {}".format(refusal))
        return _FAILED
    return status


def _bear_out(plan: Dict[str, Any], sessions: Sequence[Session]) -> None:
    if not sessions:
        raise Refused("The command runs pytest or unittest, but what it runs did not report to the scorer.")
    found = statuses(sessions)
    passed = [name for name, (status, _) in found.items() if status in PASSING]
    failed = [(name, status) for name, status in found.items() if status[0] in ("FAILED", "ERROR", "NOT RUN")]
    if failed:
        name, (status, why) = failed[0]
        raise Refused("The command ended with status 0, but {} did not pass: {} {}".format(name, status, why).rstrip())
    if not passed:
        raise Refused("The command ended with status 0, but no test passed.")
    tests = {os.path.realpath(path) for path in plan["sources"] if _is_test(path)}
    if tests and not tests.intersection(passed_files(sessions)):
        raise Refused("The command ended with status 0, but no test of the scorer's own files passed.")


def _is_test(path: str) -> bool:
    name = os.path.basename(path)
    return name.endswith(".py") and (name.startswith("test") or name.endswith(("_test.py", "_tests.py", "tests.py")))


def _run(plan: Dict[str, Any], output: Any) -> Tuple[int, List[Session]]:
    """Run the command. Returns its exit status, and the sessions that it reported.

    Raises:
        Refused: What was reported, or what it was run from, does not count.
    """
    directory = plan["directory"]
    sources = [_path(directory, path) for path in plan["sources"]]
    try:
        moved = set_aside(sources)
    except OSError as error:
        raise Refused("what takes the place of a test file cannot be moved away: {}".format(error)) from error
    for path in moved:
        _say("[loopyard] moved away, since it would take the place of a test file: {}".format(path))
    sys.stdout.buffer.flush()
    reporter = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    unchanged = Unchanged([*sources, reporter])
    process.set_apart()
    listener = Listener(address(reporter))
    environment = dict(os.environ)
    path = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = reporter if not path else reporter + os.pathsep + path
    if "PYTHONPYCACHEPREFIX" not in environment:
        environment["PYTHONPYCACHEPREFIX"] = tempfile.mkdtemp(prefix="loopyard-pycache-")
    command = plan.get("command") or _script(plan["text"], reporter)
    status = process.run(["/bin/bash", command], directory, environment, output, listener)
    changed = unchanged.changed()
    if changed:
        raise Refused("{} was changed while the tests ran".format(changed[0]))
    sessions = [session for session in listener.sessions if not session.idle]
    for session in sessions:
        why = session.why_not()
        if why is not None:
            raise Refused(why)
        if os.path.join(os.path.realpath(directory), "") in session.runner_file and output is not None:
            _say("note: the test framework is the repository's own, {}".format(session.runner_file))
    return status, sessions


def _script(text: str, reporter: str) -> str:
    """Write a command to a file which Bash has read to the end before it begins, so that it cannot be changed."""
    path = os.path.join(os.path.dirname(reporter), "command.sh")
    with open(path, "wb") as file:
        file.write("{{\n{}\n}}\n".format(keeping_reporter(text, reporter)).encode("utf-8", "surrogateescape"))
    return path


def _show(output: Any) -> None:
    """Print the end of the tests' output, with a bar before each line."""
    for line in _end(output, _SHOWN_BYTES).decode("utf-8", "replace").rstrip("\n").split("\n"):
        _say("| " + line.replace("\r", ""))


def _say(text: str) -> None:
    sys.stdout.buffer.write((text + "\n").encode("utf-8", "surrogateescape"))
