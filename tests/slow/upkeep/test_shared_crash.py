"""The server is killed while it frees a folder that devboxes share; the next start leaves nothing half freed, and
nothing that a devbox sees is freed."""

import os
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from runloop_api_client import Runloop
from runloop_api_client.types import ScenarioRunView

from tests.integration.devbox.host import Host
from tests.integration.devbox.waiting import execute, wait_until
from tests.integration.scenario.definitions import scenario
from tests.serving import ServerProcess, serving

SWEEPING = {"LOOPYARD_UPKEEP__SWEEP_SECONDS": "0.2"}
AST_GREP: Any = {
    "name": "finds",
    "weight": 1.0,
    "scorer": {"type": "ast_grep_scorer", "pattern": "print($X)", "search_directory": "."},
}
PYTHON: Any = {
    "name": "judges",
    "weight": 1.0,
    "scorer": {
        "type": "python_script_scorer",
        "python_version_constraint": ">=3.11,<4",
        "python_script": "print(1.0)",
    },
}
FILLING = 20_000
"""So many files more take the deletion long enough to be killed in it."""


class Sharing:
    """A server with two shared folders: `tools`, which a devbox sees, and `python`, which none sees any more."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.host = Host(server.data_dir, 0)
        with server.client() as api:
            self.seeing = _scored(api, AST_GREP).devbox_id
            api.scenarios.runs.complete(_scored(api, PYTHON).id)
        self.names = self.folders()
        assert {name.partition("-")[0] for name in self.names} == {"tools", "python"}

    @property
    def place(self) -> Path:
        """The folders, where only the launcher sees them."""
        launcher = self.host.launcher(self.server.pid)
        return Path(f"/proc/{launcher}/root{self.server.data_dir}/pool/shared")

    def folders(self) -> set[str]:
        return {path.name for path in self.place.iterdir()}

    def name(self, kind: str) -> str:
        return next(name for name in self.names if name.startswith(f"{kind}-"))

    def marks(self) -> list[Path]:
        return list((self.server.data_dir / "shared").iterdir())

    def grow_old(self) -> None:
        """Let all folders be unused for long, and stop the server."""
        self.server.stop()
        for mark in self.marks():
            os.utime(mark, (0, 0))

    def check(self) -> None:
        """What the devbox sees is there whole; all else can be made anew, and freed."""
        with self.server.client() as api:
            assert execute(api, self.seeing, "/.loopyard/tools/ast-grep --version").exit_status == 0
            assert (self.place / self.name("tools") / "ast-grep").stat().st_size > 1 << 20
            run = _scored(api, PYTHON)
            assert run.scoring_contract_result is not None
            assert run.scoring_contract_result.score == 1.0, run.to_json()
            api.scenarios.runs.complete(run.id)
            api.devboxes.shutdown(self.seeing)
        wait_until(lambda: self.host.processes(self.seeing) == set(), lambda: "its devbox goes on")
        self.grow_old()
        self.server.start(SWEEPING)
        wait_until(lambda: self.folders() == set(), lambda: f"{self.folders()} are kept")
        wait_until(lambda: self.marks() == [], lambda: f"{self.marks()} are kept")


@pytest.fixture
def sharing(tmp_path: Path) -> Generator[Sharing]:
    with serving(tmp_path / "data") as server:
        yield Sharing(server)


def _scored(api: Runloop, function: Any) -> ScenarioRunView:
    run = api.scenarios.start_run_and_await_env_ready(scenario_id=api.scenarios.create(**scenario(function)).id)
    return api.scenarios.runs.score_and_await(run.id)


def test_killed_before_the_folder_is_put_aside(sharing: Sharing) -> None:
    sharing.grow_old()
    sharing.server.start({**SWEEPING, "LOOPYARD_FAILPOINT": "shared.forgotten"})
    sharing.server.wait_dead()
    sharing.server.start(SWEEPING)
    # It is whole, and when it was used last is not known: it is kept as if that was now.
    wait_until(lambda: len(sharing.marks()) == 2, lambda: f"marks: {sharing.marks()}")
    assert sharing.folders() == sharing.names
    assert list((sharing.place / sharing.name("python")).glob("envs/*/complete"))
    sharing.check()


def test_killed_when_the_folder_is_put_aside(sharing: Sharing) -> None:
    sharing.grow_old()
    sharing.server.start({**SWEEPING, "LOOPYARD_FAILPOINT": "shared.put_aside"})
    sharing.server.wait_dead()
    sharing.server.start()
    assert sharing.folders() == {sharing.name("tools"), f"{sharing.name('python')}.gone"}
    with sharing.server.client() as api:  # the same folder is made anew beside what is left of the old one
        run = _scored(api, PYTHON)
    assert sharing.folders() == {*sharing.names, f"{sharing.name('python')}.gone"}
    sharing.server.stop()
    sharing.server.start(SWEEPING)
    wait_until(lambda: sharing.folders() == sharing.names, lambda: f"there are {sharing.folders()}")
    with sharing.server.client() as api:
        api.scenarios.runs.complete(run.id)
    sharing.check()


def test_killed_while_the_folder_is_deleted(sharing: Sharing) -> None:
    filling = sharing.place / sharing.name("python") / "filling"
    filling.mkdir()
    for number in range(FILLING):
        (filling / str(number)).touch()
    sharing.grow_old()
    sharing.server.start(SWEEPING)
    gone = sharing.place / f"{sharing.name('python')}.gone"
    until = time.monotonic() + 60
    while not gone.exists():  # without a pause: the deletion may be over after some tenths of a second
        assert time.monotonic() < until, "it is kept, or was deleted before it was seen"
    sharing.server.kill()
    sharing.server.start(SWEEPING)
    tools = {sharing.name("tools")}
    wait_until(lambda: sharing.folders() == tools, lambda: f"there are {sharing.folders()}")
    sharing.check()
