"""Repositories cloned into devboxes over TLS, from a host that only an authority of the operator's own vouches for."""

import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest
from runloop_api_client import Runloop

from tests.integration.devbox.authority import Authority
from tests.integration.devbox.git_host import git_host, make_repositories
from tests.integration.devbox.tokens import assert_nowhere, watch_launch
from tests.integration.devbox.waiting import run, wait_for
from tests.serving import ServerProcess, serving

TOKEN = "s3cret-of-a-private-repository"
PRIVATE = {"type": "code_mount", "repo_owner": "private", "repo_name": "tools", "token": TOKEN}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def host(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Path, str]]:
    """A folder with the log of the host, and its URL."""
    folder = tmp_path_factory.mktemp("git")
    make_repositories(folder)
    with git_host(folder, TOKEN, authority.certify) as url:
        yield folder, url


@pytest.fixture(scope="module")
def server(
    host: tuple[Path, str], authority: Authority, images: Path, tmp_path_factory: pytest.TempPathFactory
) -> Generator[ServerProcess]:
    """A server that is told of the authority. It has images of its own: its base image is another one."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "images").mkdir()
    subprocess.run(["cp", "-al", (images / "base").resolve(), folder / "images"], check=True)
    env = {
        "LOOPYARD_CODE_HOST": host[1],
        "LOOPYARD_RUNTIME__CA_BUNDLE": str(authority.certificate),
        "LOOPYARD_RUNTIME__IMAGES": str(folder / "images"),
    }
    with serving(folder / "data", env=env) as server:
        yield server
    assert len(list((folder / "images").glob("base-*"))) == 2


def test_a_private_repository_is_cloned_and_its_token_is_nowhere_to_be_found(
    client: Runloop, server: ServerProcess, host: tuple[Path, str]
) -> None:
    made = client.devboxes.create(mounts=[PRIVATE])  # type: ignore[list-item]
    watch_launch(client, made.id, TOKEN, "git-remote-https")
    assert_nowhere(client, server, made.id, TOKEN)
    url = f"{host[1]}/private/tools.git"
    assert run(client, made.id, "cat tools/file; git -C tools remote get-url origin") == f"private two\n{url}\n"
    # What the devbox does later has the authority, but not the token.
    known = f"{host[1]}/public/tools.git/info/refs?service=git-upload-pack"
    assert "refs/heads/main" in run(client, made.id, f"curl -sSf '{known}' | tr -d '\\0'")
    python = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).status)"
    assert run(client, made.id, f"python3 -c '{python}' '{known}'") == "200\n"
    asked = "GIT_TERMINAL_PROMPT=0 git -C tools fetch 2>&1 | grep -c 'could not read Username'"
    assert run(client, made.id, asked) == "1\n"
    client.devboxes.shutdown(made.id)


def test_a_host_that_no_authority_vouches_for_gets_no_token(
    host: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    log = host[0] / "log"
    before = log.read_text() if log.exists() else ""
    with (
        serving(tmp_path_factory.mktemp("stranger") / "data", env={"LOOPYARD_CODE_HOST": host[1]}) as server,
        server.client() as client,
    ):
        made = client.devboxes.create(mounts=[PRIVATE])  # type: ignore[list-item]
        failed = wait_for(client, made.id, "failure")
        reason = failed.state_transitions[-1].failure_reason or ""
        assert failed.failure_reason == "execution_failed"
        assert "git clone" in reason
        assert "certificate" in reason
        assert TOKEN not in failed.to_json() + str(client.devboxes.logs.list(made.id).logs) + server.log
    assert (log.read_text() if log.exists() else "") == before
