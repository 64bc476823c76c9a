"""Journal of a bench, appended as trials end, so that an interrupted or killed bench can be resumed.

The journal is a file of JSON lines, each on the disk before the bench goes on. It says for each trial what run was
asked for, what run that became, how the agent's turn ended, and the result. A line that was cut off counts for nothing.
"""

import fcntl
import hashlib
import json
import os
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from loopyard.bench.model_usage import ModelUsage
from loopyard.bench.plan import PlannedTrial
from loopyard.bench.results import AgentResult, FunctionResult, PutBack, Result, State

_READ = ("state", "agent_result", "functions", "put_back", "model_usage")


class JournalFault(Exception):
    """The journal cannot be used; the message says what to do."""


@dataclass(slots=True)
class Entry:
    """Record of one trial. All fields but the first two are None, or False, as long as they are not known."""

    key: str
    write: Callable[[dict[str, Any]], None]
    request_id: str | None = None
    """Request key of a run; asking again with it gives the same run."""
    run_id: str | None = None
    turn_over: bool = False
    agent_result: AgentResult | None = None
    result: Result | None = None
    """Only of a trial that was scored: any other is to be tried again."""

    def starting(self, *, anew: bool = False) -> str:
        """The id to ask for a run with: the one that was not answered as far as is known, else a new one."""
        if self.request_id is None or self.run_id is not None or anew:
            self._add({"event": "starting", "request_id": uuid.uuid4().hex})
        assert self.request_id is not None  # noqa: S101
        return self.request_id

    def started(self, run_id: str) -> None:
        self._add({"event": "started", "run_id": run_id})

    def took_turn(self, agent_result: AgentResult | None) -> None:
        self._add({"event": "turn", "agent_result": None if agent_result is None else asdict(agent_result)})

    def ended(self, result: Result) -> None:
        self._add({"event": "ended", "result": asdict(result)})

    def _add(self, event: dict[str, Any]) -> None:
        self.write({"trial": self.key, **event})
        self.take(event)

    def take(self, event: dict[str, Any]) -> None:
        """Know what the journal says."""
        match event["event"]:
            case "starting":
                self.request_id = event["request_id"]
                self.run_id, self.turn_over, self.agent_result, self.result = None, False, None, None
            case "started":
                self.run_id = event["run_id"]
            case "turn":
                kept = event["agent_result"]
                self.turn_over, self.agent_result = True, None if kept is None else AgentResult(**kept)
            case _:
                self.result = _result(event["result"])
                if self.result is None:
                    self.request_id, self.run_id, self.turn_over, self.agent_result = None, None, False, None


def _result(kept: dict[str, Any]) -> Result | None:
    """The result, if it is a score."""
    if kept["state"] != State.SCORED:
        return None
    agent, put_back, usage = kept["agent_result"], kept.get("put_back"), kept.get("model_usage")
    functions = [FunctionResult(**function) for function in kept["functions"]]
    rest = {name: value for name, value in kept.items() if name not in _READ}
    return Result(
        state=State.SCORED,
        agent_result=None if agent is None else AgentResult(**agent),
        functions=functions,
        model_usage=None if usage is None else ModelUsage(**usage),
        put_back=None if put_back is None else PutBack(**put_back),
        **rest,
    )


class Journal:
    """The entries of one bench, in an open file that is this process's alone."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._entries: dict[str, Entry] = {}
        self._asked: set[str] = set()
        self.fault: OSError | None = None
        """Why nothing is kept any more; None if all is well."""
        self._read()

    def entry(self, trial: PlannedTrial, agent_timeout: float) -> Entry:
        """Record of a trial, found by exactly the same agent, time limit and scenario."""
        key = _key(trial, agent_timeout)
        self._asked.add(key)
        return self._entries.setdefault(key, Entry(key, self._write))

    def abandoned(self) -> list[str]:
        """Runs of trials that nobody asks for any more, which may still go on."""
        others = (entry for key, entry in self._entries.items() if key not in self._asked)
        return [entry.run_id for entry in others if entry.run_id is not None and entry.result is None]

    def _read(self) -> None:
        whole = 0
        for line in self._file:
            try:
                event = json.loads(line)
            except ValueError:
                break
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            self._entries.setdefault(event["trial"], Entry(event["trial"], self._write)).take(event)
        self._file.seek(whole)
        self._file.truncate()

    def _write(self, event: dict[str, Any]) -> None:
        if self.fault is not None:
            return
        try:
            self._file.write(json.dumps(event).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:  # the bench goes on; what it cannot keep is not continued later
            self.fault = error


@contextmanager
def journal(path: Path, *, resume: bool) -> Generator[Journal]:
    """The journal at a path, an empty one unless `resume`, and also with it if none was begun.

    Raises:
        JournalFault: Another bench uses it, or the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise JournalFault(
            f"Results cannot be kept in {path.parent}: {error.strerror}. Name another --data-dir."
        ) from error
    with os.fdopen(descriptor, "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise JournalFault("Another bench of this folder with these agents is under way.") from error
        if not resume:
            file.truncate(0)
        yield Journal(file)


def place(data_dir: Path, *words: str) -> Path:
    """Where the journal of a bench is that was called with these words."""
    digest = hashlib.sha256(json.dumps(words).encode()).hexdigest()[:32]
    return data_dir / "bench" / f"{digest}.jsonl"


def _key(trial: PlannedTrial, agent_timeout: float) -> str:
    turn = trial.turn
    what = [
        trial.scenario.model_dump(mode="json"),
        trial.agent.name,
        None if turn is None else [turn.command, dict(turn.files), dict(turn.environment)],
        dict(trial.environment),
        agent_timeout,
    ]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
