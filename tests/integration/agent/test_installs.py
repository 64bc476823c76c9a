"""Agents in devboxes: real installs from the registries, from a git host of the tests' own, and from objects."""

import sqlite3
import subprocess
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from runloop_api_client import Runloop
from runloop_api_client.types import DevboxView

from tests.integration.agent.making import from_archive, mount
from tests.integration.devbox.git_host import git_host
from tests.integration.devbox.waiting import POLL, execute, run, wait_for, wait_until
from tests.integration.scenario.definitions import command, scenario
from tests.serving import ServerProcess, serving

TOKEN = "s3cret-of-a-private-agent"
OWN = """
name = "own-kind"
about = "An operator's own."
version = "1.0"
command = "true"
install = { type = "pip", pip.package_name = "own-kind" }
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Path, str]]:
    """A folder with the log of the git host, and its URL."""
    folder = tmp_path_factory.mktemp("git")
    bare, work = folder / "root" / "private" / "agent.git", folder / "work"
    script = f"""
        set -e
        git init --quiet --bare --initial-branch=main {bare}
        git init --quiet --initial-branch=main {work}
        cd {work}
        git config user.name Tester; git config user.email tester@example.org
        printf '#!/bin/sh\\necho agent one\\n' > run; chmod +x run; git add .; git commit --quiet -m one; git tag v1
        printf '#!/bin/sh\\necho agent two\\n' > run; git commit --quiet -am two
        git push --quiet {bare} main v1
    """
    subprocess.run(["bash", "-c", script], check=True)
    with git_host(folder, TOKEN) as url:
        yield folder, url


def _stamps(client: Runloop, devbox_id: str) -> str:
    return run(client, devbox_id, "cat ~/stamp")


def _log(client: Runloop, devbox_id: str) -> str:
    """What the devbox's log tells of its setup. It is written down a moment later."""
    found = ""

    def there() -> bool:
        nonlocal found
        logs = client.devboxes.logs.list(devbox_id).logs
        found = "\n".join(log.message or "" for log in logs if log.source == "setup_commands")
        return found != ""

    wait_until(there, lambda: "nothing was logged")
    return found


def test_a_package_of_pip_is_installed_apart_from_the_boxs_own_python(client: Runloop) -> None:
    source: Any = {"type": "pip", "pip": {"package_name": "cowsay", "agent_setup": ["cowsay -t set-up > ~/said"]}}
    agent = client.agents.create(name="pip agent", version="6.1", source=source)
    devbox = client.devboxes.create_and_await_running(mounts=[mount(agent, None)], polling_config=POLL)
    assert "set-up" in run(client, devbox.id, "cat ~/said")
    assert "hello" in run(client, devbox.id, "cowsay -t hello")
    assert execute(client, devbox.id, "python3 -c 'import cowsay'").exit_status != 0
    assert "6.1" in run(client, devbox.id, "ls /opt/agents/pip-agent/lib/python3*/site-packages | grep cowsay-")
    assert run(client, devbox.id, "ls /usr/local/bin") == "cowsay\n"
    client.devboxes.shutdown(devbox.id)


def test_a_package_of_npm_brings_node_where_the_image_has_none(client: Runloop) -> None:
    source: Any = {"type": "npm", "npm": {"package_name": "cowsay"}}
    agent = client.agents.create(name="npm-agent", version="1.6.0", source=source)
    devbox = client.devboxes.create_and_await_running(mounts=[mount(agent, "/opt/my/place")], polling_config=POLL)
    assert "moo" in run(client, devbox.id, "cowsay moo")
    assert run(client, devbox.id, "readlink -f $(which cowsay)").startswith("/opt/my/place/")
    assert int(run(client, devbox.id, "node --version").strip("v\n").split(".")[0]) >= 22
    assert run(client, devbox.id, "npm --version")
    client.devboxes.shutdown(devbox.id)


def test_a_private_repository_is_cloned_and_its_token_is_nowhere_to_be_found(
    client: Runloop, server: ServerProcess, host: tuple[Path, str]
) -> None:
    folder, url = host
    source: Any = {
        "type": "git",
        "git": {
            "repository": f"{url}/private/agent.git",
            "agent_setup": ["./run > made", "sleep 1", "date +%N > ~/stamp"],
        },
    }
    agent = client.agents.create(name="git-agent", version="v1", source=source)
    wanted = mount(agent, "/srv/agents/git", auth_token=TOKEN)
    first = client.devboxes.create(mounts=[wanted])
    wait_until((folder / "log").exists, lambda: "it was not cloned")
    with sqlite3.connect(server.data_dir / "loopyard.db") as store:
        assert TOKEN not in "\n".join(store.iterdump())
    store.close()
    client.devboxes.await_running(first.id, polling_config=POLL)
    asked = (folder / "log").read_text()
    second = client.devboxes.create_and_await_running(mounts=[wanted], polling_config=POLL)
    assert (folder / "log").read_text() == asked
    assert _stamps(client, first.id) == _stamps(client, second.id)
    assert run(client, second.id, "cd /srv/agents/git && cat made && stat -c %U . made") == "agent one\nuser\nuser\n"
    origin = run(client, second.id, "git -C /srv/agents/git remote get-url origin").strip()
    assert origin == f"{url}/private/agent.git"
    leaks = execute(client, second.id, f"sudo grep -rlF {TOKEN} /home /root /etc /tmp /dev/shm /var /srv /opt")
    assert (leaks.exit_status, leaks.stdout) == (1, "")
    assert TOKEN not in server.log + first.to_json() + _log(client, first.id)
    kept = ["grep", "-rlF", TOKEN, server.data_dir / "sandboxes"]
    assert subprocess.run(kept, capture_output=True, text=True, check=False).stdout == ""
    with sqlite3.connect(server.data_dir / "loopyard.db") as store:
        assert store.execute("SELECT count(*) FROM held_token").fetchone() == (0,)
    store.close()
    for box in (first, second):
        client.devboxes.shutdown(box.id)


def test_a_wrong_token_fails_the_devbox_with_what_git_said(
    client: Runloop, server: ServerProcess, host: tuple[Path, str]
) -> None:
    source: Any = {"type": "git", "git": {"repository": f"{host[1]}/private/agent.git", "ref": "main"}}
    agent = client.agents.create(name="git-agent-closed", source=source)
    made = client.devboxes.create(mounts=[mount(agent, auth_token="wrong-token-here")])
    failed = wait_for(client, made.id, "failure", "running")
    reason = failed.state_transitions[-1].failure_reason or ""
    assert (failed.status, failed.failure_reason) == ("failure", "execution_failed")
    assert "Authentication failed" in reason
    assert "git clone" in _log(client, made.id)
    assert "wrong-token-here" not in failed.to_json() + _log(client, made.id) + server.log


def test_many_devboxes_at_once_have_an_agent_installed_once(client: Runloop) -> None:
    agent = from_archive(client, "at-once", ["sleep 1; date +%N > ~/stamp"])

    def make(_: int) -> DevboxView:
        return client.devboxes.create_and_await_running(mounts=[mount(agent)], polling_config=POLL)

    with ThreadPoolExecutor(4) as pool:
        boxes = [*pool.map(make, range(4))]
    assert len({_stamps(client, box.id) for box in boxes}) == 1
    # By its name, too, and changed in one box it is the same in the next.
    run(client, boxes[0].id, "rm -r ~/agent ~/stamp")
    later = client.devboxes.create_and_await_running(mounts=[mount("at-once")], polling_config=POLL)
    assert run(client, later.id, "~/agent/run.sh; cat ~/stamp") == f"ran\n{_stamps(client, boxes[1].id)}"
    assert "was there already" in _log(client, later.id)
    for box in (*boxes, later):
        client.devboxes.shutdown(box.id)


def test_a_layer_is_another_one_for_another_ground_user_path_or_set_of_agents(client: Runloop) -> None:
    stamp = ["cat /proc/sys/kernel/random/uuid > ~/stamp"]
    agent = from_archive(client, "keyed", stamp)
    below = from_archive(client, "keyed-below", ["touch ~/below"])
    plain = client.devboxes.create_and_await_running(mounts=[mount(agent)], polling_config=POLL)
    snapshot = client.devboxes.snapshot_disk(plain.id)
    run(client, plain.id, "true")
    kinds: list[dict[str, Any]] = [
        {"mounts": [mount(agent)], "launch_parameters": {"user_parameters": {"username": "root", "uid": 0}}},
        {"mounts": [mount(agent, "/home/user/elsewhere")]},
        {"mounts": [mount(below, "~/below-it"), mount(agent)]},
        {"mounts": [mount(agent, "/home/user/again")], "snapshot_id": snapshot.id},
    ]
    boxes = [client.devboxes.create_and_await_running(**kind, polling_config=POLL) for kind in kinds]
    stamps = [_stamps(client, box.id) for box in (plain, *boxes)]
    assert len({*stamps}) == 5
    assert run(client, boxes[2].id, "ls ~/below ~/below-it/run.sh ~/agent/run.sh")
    assert run(client, boxes[3].id, "ls ~/agent/run.sh ~/again/run.sh")
    for box in (plain, *boxes):
        client.devboxes.shutdown(box.id)
    client.devboxes.delete_disk_snapshot(snapshot.id)


def test_the_devboxs_own_variables_and_launch_commands_come_after_the_agent(client: Runloop) -> None:
    agent = from_archive(client, "apart", ["env > ~/env; echo set-up > ~/order"])
    devbox = client.devboxes.create_and_await_running(
        mounts=[mount(agent), {"type": "file_mount", "target": "/home/user/agent/config", "content": "mine"}],
        environment_variables={"OWN": "canary"},
        launch_parameters={"launch_commands": ["agent/run.sh >> ~/order; echo $OWN >> ~/order"]},
        polling_config=POLL,
    )
    assert run(client, devbox.id, "cat order agent/config") == "set-up\nran\ncanary\nmine"
    assert execute(client, devbox.id, "grep canary env").exit_status == 1
    suspended = client.devboxes.suspend(devbox.id)
    wait_for(client, suspended.id, "suspended")
    client.devboxes.resume(devbox.id)
    client.devboxes.await_running(devbox.id, polling_config=POLL)
    assert run(client, devbox.id, "agent/run.sh") == "ran\n"
    client.devboxes.shutdown(devbox.id)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"type": "pip", "pip": {"package_name": "cowsay"}}, "No matching distribution found for cowsay==0.0.404"),
        ({"type": "npm", "npm": {"package_name": "cowsay"}}, "No matching version found for cowsay@0.0.404"),
    ],
)
def test_a_package_that_is_not_there_fails_the_devbox_with_what_was_said(
    client: Runloop, source: Any, said: str
) -> None:
    agent = client.agents.create(name="missing-package", version="0.0.404", source=source)
    made = client.devboxes.create(mounts=[mount(agent, None)])
    failed = wait_for(client, made.id, "failure", "running", seconds=120)
    assert (failed.status, failed.failure_reason) == ("failure", "execution_failed")
    assert said in (failed.state_transitions[-1].failure_reason or "")
    assert said in _log(client, made.id)


def test_a_setup_that_fails_tells_its_output_and_is_tried_again_by_the_next_devbox(client: Runloop) -> None:
    agent = from_archive(client, "fails", ["echo first", "echo no luck at $RANDOM >&2; exit 7", "echo never"])
    reasons: list[str] = []
    for _ in range(2):
        failed = wait_for(client, client.devboxes.create(mounts=[mount(agent)]).id, "failure", "running")
        assert failed.status == "failure"
        reasons.append(failed.state_transitions[-1].failure_reason or "")
        assert "exited with 7" in reasons[-1]
        assert "no luck" in reasons[-1]
        log = _log(client, failed.id)
        assert "$ echo first\nfirst" in log
        assert "never" not in log
    assert reasons[0] != reasons[1]


def test_a_devbox_that_is_shut_down_does_not_wait_for_its_agent(client: Runloop) -> None:
    agent = from_archive(client, "slow", ["sleep 4; date +%N > ~/stamp"])
    made = client.devboxes.create(mounts=[mount(agent)])
    time.sleep(0.5)
    assert client.devboxes.retrieve(made.id).status == "provisioning"
    assert client.devboxes.shutdown(made.id).status == "shutdown"
    # The installation goes on for those to come.
    later = client.devboxes.create_and_await_running(mounts=[mount(agent)], polling_config=POLL)
    assert _stamps(client, later.id)
    client.devboxes.shutdown(later.id)


def test_a_scenario_run_has_the_agents_of_its_profile(client: Runloop) -> None:
    agent = from_archive(client, "in-a-run")
    made = client.scenarios.create(**scenario(command("there", "test -x ~/agent/run.sh")))
    run_ = client.scenarios.start_run_and_await_env_ready(
        scenario_id=made.id, run_profile={"mounts": [mount(agent)]}, polling_config=POLL
    )
    scored = client.scenarios.runs.score_and_complete(run_.id, polling_config=POLL)
    assert scored.scoring_contract_result is not None
    assert scored.scoring_contract_result.score == 1.0


def test_own_kinds_are_public_and_layers_that_do_not_fit_go(tmp_path: Path) -> None:
    own = tmp_path / "kinds"
    own.mkdir()
    (own / "own-kind.toml").write_text(OWN)
    env = {"LOOPYARD_AGENTS__CACHE_GIB": "0", "LOOPYARD_AGENTS__CATALOG": str(own)}
    with serving(tmp_path / "data", env=env) as server, server.client() as client:
        assert [agent.version for agent in client.agents.list_public(name="own-kind")] == ["1.0"]
        agent = from_archive(
            client, "evicted", ["head -c 1000000 /dev/urandom > ~/big", "cp /proc/sys/kernel/random/uuid ~/stamp"]
        )

        def layers() -> int:
            with sqlite3.connect(server.data_dir / "loopyard.db") as store:
                count = store.execute("SELECT count(*) FROM agent_layer").fetchone()[0]
            store.close()
            return count

        first = client.devboxes.create_and_await_running(mounts=[mount(agent)], polling_config=POLL)
        wait_until(lambda: layers() == 0, lambda: "the layer stays")
        second = client.devboxes.create_and_await_running(mounts=[mount(agent)], polling_config=POLL)
        assert _stamps(client, first.id) != _stamps(client, second.id)
        wait_until(lambda: layers() == 0, lambda: "the layer stays")
        assert run(client, first.id, "wc -c < ~/big; ~/agent/run.sh") == "1000000\nran\n"
