"""Repositories cloned into devboxes, by git over HTTP from a host of the test's own."""

import time
from collections.abc import Generator
from pathlib import Path

import pytest
from runloop_api_client import BadRequestError, Runloop

from tests.integration.devbox.git_host import git_host, make_repositories
from tests.integration.devbox.tokens import assert_nowhere, watch_launch
from tests.integration.devbox.waiting import POLL, run, wait_for
from tests.serving import ServerProcess, serving

TOKEN = "s3cret-of-a-private-repository"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Path, str]]:
    """A folder with the log of the host, and its URL."""
    folder = tmp_path_factory.mktemp("git")
    make_repositories(folder)
    with git_host(folder, TOKEN) as url:
        yield folder, url


@pytest.fixture(scope="module")
def server(host: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Generator[ServerProcess]:
    with serving(tmp_path_factory.mktemp("server") / "data", env={"LOOPYARD_CODE_HOST": host[1]}) as server:
        yield server


def test_a_repository_is_cloned_before_the_launch_commands(client: Runloop) -> None:
    devbox = client.devboxes.create_and_await_running(
        mounts=[
            {
                "type": "code_mount",
                "repo_owner": "public",
                "repo_name": "tools",
                "install_command": "pwd > ../installed; cat file >> ../installed",
            }
        ],
        launch_parameters={"launch_commands": ["cp tools/file seen"]},
    )
    assert run(client, devbox.id, "cat installed seen; git -C tools branch --show-current; stat -c %U tools/.git") == (
        "/home/user/tools\npublic two\npublic two\nmain\nuser\n"
    )
    client.devboxes.shutdown(devbox.id)


@pytest.mark.parametrize(
    ("ref", "content", "branch"), [("v1", "one", ""), ("topic", "topic", "topic"), ("main", "two", "main")]
)
def test_a_branch_or_a_tag_is_checked_out_by_the_deprecated_form_too(
    client: Runloop, ref: str, content: str, branch: str
) -> None:
    devbox = client.devboxes.create_and_await_running(
        code_mounts=[{"repo_owner": "public", "repo_name": "tools", "git_ref": ref}]
    )
    assert run(client, devbox.id, "cd tools; cat file; git branch --show-current").split() == [
        *("public", content),
        *branch.split(),
    ]
    client.devboxes.shutdown(devbox.id)


def test_the_token_opens_a_private_repository_and_is_nowhere_to_be_found(
    client: Runloop, server: ServerProcess, host: tuple[Path, str]
) -> None:
    made = client.devboxes.create(
        mounts=[{"type": "code_mount", "repo_owner": "private", "repo_name": "tools", "token": TOKEN}]
    )
    watch_launch(client, made.id, TOKEN, "git-remote-http")
    assert_nowhere(client, server, made.id, TOKEN)
    assert run(client, made.id, "cat tools/file") == "private two\n"
    assert run(client, made.id, "git -C tools remote get-url origin") == f"{host[1]}/private/tools.git\n"
    client.devboxes.shutdown(made.id)
    assert TOKEN not in server.log


def test_a_clone_survives_the_death_of_the_server(server: ServerProcess, host: tuple[Path, str]) -> None:
    log = host[0] / "log"
    log.touch()
    before = log.stat().st_size
    with server.client() as client:
        made = client.devboxes.create(
            mounts=[{"type": "code_mount", "repo_owner": "private", "repo_name": "tools", "token": TOKEN}],
            launch_parameters={"launch_commands": ["cat tools/file >> seen"]},
        )
        while log.stat().st_size == before:
            time.sleep(0.02)
    server.kill()  # git has been told what there is, and fetches it for a second
    server.start({"LOOPYARD_CODE_HOST": host[1]})
    with server.client() as client:
        client.devboxes.await_running(made.id, polling_config=POLL)
        assert (
            run(client, made.id, "cat seen; git -C tools status --porcelain; pgrep -c git || true")
            == "private two\n0\n"
        )
        assert TOKEN.encode() not in b"".join(path.read_bytes() for path in server.data_dir.glob("loopyard.db*"))
        client.devboxes.shutdown(made.id)


def test_a_wrong_token_fails_the_devbox_and_is_not_told(client: Runloop) -> None:
    made = client.devboxes.create(
        mounts=[{"type": "code_mount", "repo_owner": "private", "repo_name": "tools", "token": "wrong-token-here"}]
    )
    failed = wait_for(client, made.id, "failure")
    reason = failed.state_transitions[-1].failure_reason or ""
    assert failed.failure_reason == "execution_failed"
    assert "git clone" in reason
    assert "Authentication failed" in reason
    assert "wrong-token-here" not in failed.to_json() + str(client.devboxes.logs.list(made.id).logs)


@pytest.mark.parametrize(
    ("mount", "said"),
    [
        ({"repo_owner": "public", "repo_name": "nothing"}, "not found"),
        ({"repo_owner": "public", "repo_name": "tools", "git_ref": "nowhere"}, "nowhere"),
        ({"repo_owner": "public", "repo_name": "tools", "install_command": "echo no luck >&2; exit 4"}, "no luck"),
    ],
)
def test_what_cannot_be_set_up_fails_the_devbox_and_says_why(client: Runloop, mount: dict[str, str], said: str) -> None:
    made = client.devboxes.create(code_mounts=[mount])  # type: ignore[list-item]
    failed = wait_for(client, made.id, "failure")
    assert failed.failure_reason == "execution_failed"
    assert said in (failed.state_transitions[-1].failure_reason or "")


@pytest.mark.parametrize(
    ("mounts", "field"),
    [
        ([{"type": "code_mount", "repo_owner": "a", "repo_name": "../b"}], "mounts.0.repo_name"),
        ([{"type": "code_mount", "repo_owner": "a/b", "repo_name": "c"}], "mounts.0.repo_owner"),
        (
            [{"type": "code_mount", "repo_owner": "a", "repo_name": "b", "git_ref": "--upload-pack=x"}],
            "mounts.0.git_ref",
        ),
        ([{"type": "code_mount", "repo_owner": "a", "repo_name": "b"}] * 2, "mounts"),
        ([{"type": "broker_mount", "axon_id": "axn_1"}], "mounts.0.axon_id"),
    ],
)
def test_what_is_not_a_mount_of_this_server_is_refused(client: Runloop, mounts: list[object], field: str) -> None:
    with pytest.raises(BadRequestError) as error:
        client.devboxes.create(mounts=mounts)  # type: ignore[arg-type]
    assert error.value.body["field"] == field  # type: ignore[index, call-overload]
