"""Builds that take too long or too much, repositories in them, and what is not built twice."""

import json
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest
from runloop_api_client import Runloop

from tests.integration.devbox.git_host import git_host
from tests.serving import ServerProcess, serving
from tests.slow.blueprint.building import build, complete, ended, fresh, output, said, until_said

TOKEN = "token-of-a-repository-in-an-image"
VALUE = "value-that-is-in-no-layer"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The URL of a host with one private repository."""
    folder = tmp_path_factory.mktemp("git")
    bare, work = folder / "root/private/tools.git", folder / "work"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", bare], check=True)
    subprocess.run(["git", "clone", "--quiet", bare, work], check=True, stderr=subprocess.DEVNULL)
    script = """
        set -e
        git config user.name Tester; git config user.email tester@example.org
        git checkout --quiet -B main; echo one > file; git add .; git commit --quiet -m one; git tag v1
        echo two > file; git commit --quiet -am two; git push --quiet origin main v1
    """
    subprocess.run(["bash", "-c", script], cwd=work, check=True)
    with git_host(folder, TOKEN) as url:
        yield url


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, host: str) -> Generator[ServerProcess]:
    """A server whose builds may take and write little."""
    env = {
        "LOOPYARD_BUILDS__TIMEOUT_SECONDS": "60",
        "LOOPYARD_BUILDS__DISK_GIB": "1",
        "LOOPYARD_BUILDS__AT_ONCE": "1",
        "LOOPYARD_CODE_HOST": host,
    }
    with serving(tmp_path_factory.mktemp("small") / "data", env=env) as server:
        yield server


@pytest.fixture
def client(small: ServerProcess) -> Generator[Runloop]:
    with small.client() as client:
        yield client


def test_a_build_that_takes_too_long_or_writes_too_much_is_ended_and_says_so(client: Runloop) -> None:
    large = build(client, system_setup_commands=["fallocate -l 1500M /large; echo written; sleep 600"])
    assert (large.status, large.failure_reason) == ("failed", "out_of_disk")
    assert "more than 1 GiB" in said(client, large.id)
    slow = build(client, system_setup_commands=["sleep 600"])
    assert (slow.status, slow.failure_reason) == ("failed", "build_failed")
    assert "longer than 60 seconds" in said(client, slow.id)


def test_a_build_that_waits_is_queued_and_one_that_is_deleted_makes_room(client: Runloop, busybox: str) -> None:
    first = client.blueprints.create(name="first", system_setup_commands=["echo begun; sleep 600"])
    until_said(client, first.id, "begun")
    second = client.blueprints.create(name="second", dockerfile=f"FROM {busybox}\n")
    assert client.blueprints.retrieve(second.id).status == "queued"
    client.blueprints.delete(first.id)
    assert ended(client, second.id).status == "build_complete"
    assert not list(Path("/dev/shm").glob(f"loopyard-0/*/builds/{first.id}"))
    running = subprocess.run(["pgrep", "--full", first.id], capture_output=True, text=True, check=False)
    assert running.stdout == ""


def test_a_private_repository_is_cloned_and_its_token_is_left_nowhere(client: Runloop, small: ServerProcess) -> None:
    blueprint = complete(
        client,
        code_mounts=[
            {
                "repo_owner": "private",
                "repo_name": "tools",
                "token": TOKEN,
                "git_ref": "v1",
                "install_command": "cat file > ../installed",
            }
        ],
        system_setup_commands=["cp /home/user/tools/file /srv/file"],
    )
    look = "cat tools/file installed /srv/file; stat -c %U tools/.git; git -C tools remote get-url origin"
    printed = output(client, look, blueprint_id=blueprint.id).splitlines()
    assert printed[:4] == ["one", "one", "one", "user"]
    assert printed[4].endswith("/private/tools.git")
    _assert_nowhere(TOKEN, small, blueprint.id)
    assert TOKEN not in blueprint.to_json() + said(client, blueprint.id) + small.log


def test_a_repository_and_a_file_are_added_from_elsewhere(client: Runloop, host: str) -> None:
    scheme, _, rest = host.partition("://")
    remote = f"{scheme}://x-access-token:{TOKEN}@{rest}/private/tools.git"
    dockerfile = f"FROM loopyard-base\nADD {remote}#v1 /srv/one\nADD --keep-git-dir=true {remote} /srv/two\n"
    blueprint = complete(client, dockerfile=dockerfile)
    printed = output(client, "cd /srv; cat one/file two/file; ls -A one two", blueprint_id=blueprint.id).split()
    assert printed == ["one", "two", "one:", "file", "two:", ".git", "file"]
    for wrong in (f"{remote}#no-such", f"{scheme}://{rest}/private/none.git"):
        failed = build(client, dockerfile=f"FROM loopyard-base\nADD {wrong} /srv/\n")
        assert failed.status == "failed", said(client, failed.id)


def test_a_secret_is_neither_in_the_image_nor_in_its_history(client: Runloop, small: ServerProcess) -> None:
    client.secrets.create(name="IN_NO_LAYER", value=VALUE)
    use = 'test "${#TOKEN}" -gt 0 && echo "${#TOKEN}" > /srv/length'
    mounted = "RUN --mount=type=secret,id=TOKEN test -s /run/secrets/TOKEN && wc -c < /run/secrets/TOKEN > /srv/more"
    blueprint = complete(
        client,
        secrets={"TOKEN": "IN_NO_LAYER"},
        dockerfile=f"FROM loopyard-base\n{fresh()}RUN {use}\n{mounted}\n",
    )
    assert output(client, "cat /srv/length /srv/more", blueprint_id=blueprint.id).split() == [str(len(VALUE))] * 2
    _assert_nowhere(VALUE, small, blueprint.id)


def _assert_nowhere(value: str, server: ServerProcess, blueprint_id: str) -> None:
    """Neither in the image's files, nor in a layer or the cache, nor in what is written down of the image."""
    from loopyard.config import load

    images = load(data_dir=server.data_dir).runtime.images_of(server.data_dir)
    note = (server.data_dir / "builds" / f"{blueprint_id}.json").read_text()
    assert value not in note
    assert json.loads(note)["config"] is not None
    places = [
        (images / blueprint_id).resolve(),
        images / "layers",
        *images.glob("build-cache.db*"),
        *images.glob("*.json"),
    ]
    # Builds of other servers come and go meanwhile, of which grep complains.
    found = subprocess.run(["grep", "-rlF", value, *map(str, places)], capture_output=True, text=True, check=False)
    assert found.stdout == ""


def test_nothing_is_built_twice(client: Runloop, small: ServerProcess) -> None:
    from loopyard.config import load

    dockerfile = f"FROM loopyard-base\n{fresh()}RUN date +%N > /srv/when\nENV A=b\n"
    first, second = (complete(client, dockerfile=dockerfile) for _ in range(2))
    assert said(client, first.id).count("Using cache") == 0
    assert said(client, second.id).count("Using cache") == 3
    assert "Unpacking" not in said(client, second.id)
    images = load(data_dir=small.data_dir).runtime.images_of(small.data_dir)
    assert (images / first.id).resolve() == (images / second.id).resolve()
    printed = {output(client, "cat /srv/when", blueprint_id=one.id) for one in (first, second)}
    assert len(printed) == 1
