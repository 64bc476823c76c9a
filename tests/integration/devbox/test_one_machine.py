"""A devbox is one machine, by whichever way it is looked at and however it came up: user, groups, variables, PATH.

Every way in meets every way of coming up. The devboxes are shared between the cases.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from runloop_api_client import Runloop

from tests.integration.devbox.ssh.clients import Login
from tests.integration.devbox.waiting import POLL, execute, run, wait_until
from tests.integration.pty.conftest import Terminals
from tests.integration.scenario.definitions import command, scenario
from tests.serving import ServerProcess

_READY = 2

_DOCKERFILE = r"""
FROM loopyard-base
USER root
RUN groupadd -g 7001 shared && groupadd -g 7002 extra && useradd -m -u 5100 -s /bin/bash -G extra app
RUN install -d -o root -g shared -m 2770 /srv/team && mkdir -p /opt/t/bin
RUN printf '#!/bin/sh\necho from-tool\n' > /opt/t/bin/my-tool && chmod 755 /opt/t/bin/my-tool
RUN echo '10.9.8.7 from-build' >> /etc/hosts; echo '# from-build' >> /etc/resolv.conf
ENV PATH=/opt/t/bin:$PATH IMAGE_SAYS=yes
WORKDIR /srv/team
USER app:shared
"""

_PROBE = (
    'echo "@$(id -u):$(id -g):$(id -G | tr " " ,):$OWN:$IMAGE_SAYS:$(my-tool 2>/dev/null || echo none):${PATH%%:*}@"'
)

_OF_IMAGE = "@5100:7001:7001:mine and yours:yes:from-tool:/opt/t/bin@"
_OF_BASE = "@1000:1000:1000:mine and yours::none:/usr/local/sbin@"

KINDS = ["fresh", "pool", "resumed", "snapshot", "blueprint", "blueprint resumed", "blueprint snapshot"]


def _expected(kind: str) -> str:
    return _OF_IMAGE if kind.startswith("blueprint") else _OF_BASE


@dataclass
class World:
    """A server that keeps some sandboxes ready, and one devbox of each kind, made when it is asked for."""

    server: ServerProcess
    api: Runloop
    folder: Path
    boxes: dict[str, str] = field(default_factory=dict[str, str])
    blueprint_id: str = ""

    def box(self, kind: str) -> str:
        if kind not in self.boxes:
            self.boxes[kind] = self._make(kind)
        return self.boxes[kind]

    def of_blueprint(self) -> str:
        if not self.blueprint_id:
            made = self.api.blueprints.create_and_await_build_complete(
                name="one machine", dockerfile=_DOCKERFILE, polling_config=POLL
            )
            self.blueprint_id = made.id
        return self.blueprint_id

    def _make(self, kind: str) -> str:
        if kind == "pool":
            ready = self.server.data_dir / "ready"
            wait_until(lambda: len([*ready.glob("*/state.json")]) >= 1, lambda: "none is ready")
        image = {"blueprint_id": self.of_blueprint()} if kind.startswith("blueprint") else {}
        if kind.endswith("snapshot"):
            source = self.box("blueprint" if image else "fresh")
            image = {"snapshot_id": self.api.devboxes.snapshot_disk(source).id}
        devbox_id = self.api.devboxes.create_and_await_running(
            **image,  # type: ignore[arg-type]
            environment_variables={"OWN": "mine and yours"},
            entrypoint=f"bash -c '{_PROBE.replace(chr(39), chr(39) * 3)} > /tmp/entered; sleep infinity'",
            launch_parameters={"launch_commands": [f"{_PROBE} > /tmp/launched"]},
            polling_config=POLL,
        ).id
        if kind.endswith("resumed"):
            run(self.api, devbox_id, "rm -f /tmp/entered /tmp/launched")
            self.api.devboxes.suspend(devbox_id)
            self.api.devboxes.await_suspended(devbox_id, polling_config=POLL)
            self.api.devboxes.resume(devbox_id)
            self.api.devboxes.await_running(devbox_id, polling_config=POLL)
        return devbox_id


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Generator[World]:
    server = ServerProcess(tmp_path_factory.mktemp("machine") / "data")
    server.start({"LOOPYARD_RUNTIME__READY_SANDBOXES": str(_READY)})
    with server.client() as api:
        world = World(server, api, tmp_path_factory.mktemp("keys"))
        yield world
        for devbox_id in world.boxes.values():
            api.devboxes.shutdown(devbox_id)
    assert server.stop() == 0


def _execute(world: World, devbox_id: str) -> str:
    return run(world.api, devbox_id, _PROBE)


def _execute_async(world: World, devbox_id: str) -> str:
    return world.api.devboxes.execute_and_await_completion(devbox_id, command=_PROBE).stdout or ""


def _named_shell(world: World, devbox_id: str) -> str:
    return world.api.devboxes.execute_and_await_completion(devbox_id, command=_PROBE, shell_name="one").stdout or ""


def _pty(world: World, devbox_id: str) -> str:
    terminals = Terminals.of(world.server, devbox_id)
    terminals.client.pty.connect("matrix")
    with terminals.open("matrix") as window:
        window.type(f"{_PROBE}; echo do''ne; exit\n")
        return window.shows("done").decode()


def _ssh_exec(world: World, devbox_id: str) -> str:
    return Login.to(world.api, devbox_id, world.folder).run(_PROBE).stdout.decode()


def _ssh_shell(world: World, devbox_id: str) -> str:
    login = Login.to(world.api, devbox_id, world.folder)
    return login.run(input=f"{_PROBE}\nexit\n".encode()).stdout.decode()


def _ssh_terminal(world: World, devbox_id: str) -> str:
    login = Login.to(world.api, devbox_id, world.folder)
    return login.run(before=("-tt",), input=f"{_PROBE}\nexit\n".encode()).stdout.decode()


def _entrypoint(world: World, devbox_id: str) -> str:
    wait_until(lambda: execute(world.api, devbox_id, "test -s /tmp/entered").exit_status == 0, lambda: "not entered")
    return run(world.api, devbox_id, "cat /tmp/entered")


def _launch_command(world: World, devbox_id: str) -> str:
    return run(world.api, devbox_id, "cat /tmp/launched")


WAYS: dict[str, Callable[[World, str], str]] = {
    "execute": _execute,
    "execute_async": _execute_async,
    "named shell": _named_shell,
    "pty": _pty,
    "ssh exec": _ssh_exec,
    "ssh shell": _ssh_shell,
    "ssh terminal": _ssh_terminal,
    "entrypoint": _entrypoint,
    "launch command": _launch_command,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS)
def test_a_program_finds_the_same_user_groups_variables_and_path(world: World, kind: str, way: str) -> None:
    assert _expected(kind) in WAYS[way](world, world.box(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_files_are_written_as_by_a_command(world: World, kind: str) -> None:
    devbox_id, api = world.box(kind), world.api
    folder = "/srv/team" if kind.startswith("blueprint") else "/home/user"
    run(api, devbox_id, f"cd {folder}; rm -f by-* closed; touch by-command; echo old > closed; chmod 444 closed")
    api.devboxes.write_file_contents(devbox_id, file_path=f"{folder}/by-call", contents="text")
    api.devboxes.upload_file(devbox_id, path=f"{folder}/by-upload", file=b"bytes")
    shown = run(api, devbox_id, f"cd {folder}; stat -c '%u:%g' by-command by-call by-upload").split()
    assert len(set(shown)) == 1, shown
    with pytest.raises(Exception, match="may not") as refused:
        api.devboxes.write_file_contents(devbox_id, file_path=f"{folder}/closed", contents="new")
    assert refused.value.status_code == 403  # type: ignore[attr-defined]
    assert run(api, devbox_id, f"cat {folder}/closed; stat -c %a {folder}/closed") == "old\n444\n"


@pytest.mark.parametrize("kind", ["blueprint", "blueprint snapshot"])
def test_a_scorer_finds_the_same(world: World, kind: str) -> None:
    api = world.api
    if kind == "blueprint":
        image = {"blueprint_id": world.of_blueprint()}
    else:
        image = {"snapshot_id": api.devboxes.snapshot_disk(world.box("blueprint")).id}
    made = api.scenarios.create(**scenario(command("probe", _PROBE), environment_parameters=image))
    started = api.scenarios.start_run_and_await_env_ready(
        scenario_id=made.id, run_profile={"env_vars": {"OWN": "mine and yours"}}, polling_config=POLL
    )
    scored = api.scenarios.runs.score_and_complete(started.id, polling_config=POLL)
    assert scored.scoring_contract_result is not None
    assert _OF_IMAGE in scored.scoring_contract_result.scoring_function_results[0].output


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith("blueprint")])
def test_lines_that_a_build_added_to_network_files_are_there(world: World, kind: str) -> None:
    shown = run(world.api, world.box(kind), "getent hosts from-build localhost devbox; cat /etc/hosts /etc/resolv.conf")
    assert "10.9.8.7" in shown
    assert "# from-build" in shown
    assert "nameserver" in shown


def test_an_image_in_which_no_program_could_be_started_does_not_build(world: World) -> None:
    dockerfile = f"FROM loopyard-base\nENV PART={'x' * 50_000}\nENV BIG=$PART$PART$PART\n"
    made = world.api.blueprints.create(name="too large", dockerfile=dockerfile)
    status: list[str] = []

    def ended() -> bool:
        status[:] = [world.api.blueprints.retrieve(made.id).status]
        return status[0] in ("build_complete", "failed")

    wait_until(ended, lambda: f"the blueprint is {status}")
    assert status == ["failed"]
    said = "\n".join(one.message for one in world.api.blueprints.logs(made.id).logs)
    assert "the variable BIG has 150,003 bytes" in said


def test_what_was_done_to_account_and_network_files_stays(world: World) -> None:
    api = world.api
    devbox_id = api.devboxes.create_and_await_running(
        launch_parameters={"user_parameters": {"username": "ann", "uid": 4001}}, polling_config=POLL
    ).id
    run(
        api,
        devbox_id,
        "sudo useradd -u 5001 -m other && echo 'other ALL=(ALL) NOPASSWD:ALL' | sudo tee /etc/sudoers.d/other && "
        "echo '# mine' | sudo tee -a /etc/sudoers.d/ann && echo '10.9.8.7 own-host' | sudo tee -a /etc/hosts && "
        "echo '# options kept' | sudo tee -a /etc/resolv.conf && echo own-name | sudo tee /etc/hostname && "
        "sudo usermod -c 'Ann A.' ann",
    )
    shown = (
        "id other; getent passwd ann; getent hosts own-host localhost devbox; sudo cat /etc/sudoers.d/ann /etc/hosts; "
        "cat /etc/resolv.conf | grep -c kept; cat /etc/hostname; grep -c '^ann:' /etc/passwd"
    )
    before = run(api, devbox_id, shown)
    copy = api.devboxes.create_and_await_running(
        snapshot_id=api.devboxes.snapshot_disk(devbox_id).id,
        launch_parameters={"user_parameters": {"username": "ann", "uid": 4001}},
        polling_config=POLL,
    ).id
    assert run(api, copy, shown) == before
    api.devboxes.suspend(devbox_id)
    api.devboxes.await_suspended(devbox_id, polling_config=POLL)
    api.devboxes.resume(devbox_id)
    api.devboxes.await_running(devbox_id, polling_config=POLL)
    assert run(api, devbox_id, shown) == before
    assert "own-host" in before
    for one in (devbox_id, copy):
        api.devboxes.shutdown(one)


@pytest.mark.parametrize(
    "done",
    [
        "rm /etc/hosts && sudo mkdir /etc/hosts",
        "rm /etc/resolv.conf && sudo mkfifo /etc/resolv.conf",
        "ln -sfn hosts /etc/hosts",
        "ln -sfn /nowhere/at/all /etc/hostname",
        "mv /etc /etc.old",
        "rm -r /srv && sudo touch /srv",
    ],
)
def test_files_that_became_something_else_do_not_hold_a_devbox_back(world: World, done: str) -> None:
    api = world.api
    devbox_id = api.devboxes.create_and_await_running(polling_config=POLL).id
    run(api, devbox_id, f"echo kept > ~/file; sudo {done}")
    snapshot = api.devboxes.snapshot_disk(devbox_id).id
    api.devboxes.suspend(devbox_id)
    api.devboxes.await_suspended(devbox_id, polling_config=POLL)
    api.devboxes.resume(devbox_id)
    api.devboxes.await_running(devbox_id, polling_config=POLL)
    copy = api.devboxes.create_and_await_running(snapshot_id=snapshot, polling_config=POLL).id
    for one in (devbox_id, copy):
        assert run(api, one, "cat ~/file") == "kept\n"
        api.devboxes.shutdown(one)
