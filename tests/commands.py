"""`loopyard` commands as users run them, each in a process of its own."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from tests.forking import ForkedCommand, Forking

Command = subprocess.Popen[str] | ForkedCommand

forking: Forking | None = None
"""What starts them quicker than a new Python does; None to start a program each time."""


def start(
    arguments: Sequence[str],
    stderr: BinaryIO,
    *,
    stdout: BinaryIO | None = None,
    env: Mapping[str, str] | None = None,
    before: Sequence[str] = (),
) -> Command:
    """Start a command. Its output is a pipe if `stdout` is None; its environment is this process's own if `env` is.
    `before` is what the command line starts with: a program that puts it into another place, such as a network."""
    variables = dict(os.environ if env is None else env)
    if forking is not None and not before:
        return forking.start(arguments, variables, stdout, stderr)
    output = subprocess.PIPE if stdout is None else stdout
    line = [*before, sys.executable, "-m", "loopyard", *arguments]
    return subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=output, stderr=stderr, text=True, env=variables)


@dataclass
class Running:
    """A command under way, whose output and messages are kept until it has ended."""

    process: Command
    _output: BinaryIO
    _messages: BinaryIO

    @classmethod
    def start(cls, *arguments: str, env: Mapping[str, str] | None = None) -> "Running":
        output, messages = (tempfile.TemporaryFile() for _ in range(2))  # noqa: SIM115  (closed by `end`)
        return cls(start(arguments, messages, stdout=output, env=env), output, messages)

    def end(self, timeout: float | None = None) -> "subprocess.CompletedProcess[str]":
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: It still runs.
        """
        status = self.process.wait(timeout)
        said: list[str] = []
        for file in (self._output, self._messages):
            with file:
                file.seek(0)
                said.append(file.read().decode())
        return subprocess.CompletedProcess("loopyard", status, *said)


def loopyard(*arguments: str, env: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return Running.start(*arguments, env=env).end()
