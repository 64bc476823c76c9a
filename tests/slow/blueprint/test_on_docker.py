"""Builds of a server on Docker, by its engine's builders: what Dockerfiles mean, and what a build leaves behind."""

import json
import os
import subprocess
import time
from collections.abc import Generator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from socket import AF_UNIX, socket
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from runloop_api_client import Runloop

from loopyard.runtime.docker.building.keeping import LayersKeeper
from loopyard.runtime.docker.building.lowering import LABEL
from loopyard.runtime.docker.engine import Engine
from tests.commands import loopyard
from tests.integration.runtime.dockerd import NoEngine, docker_engine
from tests.serving import ServerProcess, serving
from tests.slow.blueprint.building import build, build_service, complete, ended, fresh, output, said, until_said
from tests.slow.blueprint.images import busybox_archive
from tests.slow.blueprint.registry import BASIC, PASSWORD, USER, registries_beside


class OnDocker(NamedTuple):
    server: ServerProcess
    engine: Path

    def ask(self, path: str, **filters: list[str]) -> Any:
        """What the engine says."""
        connection = HTTPConnection("engine")
        connection.sock = socket(AF_UNIX)
        connection.sock.connect(str(self.engine))
        asked = f"?all=true&filters={quote(json.dumps(filters))}" if filters else ""
        connection.request("GET", f"/v1.40/{path}{asked}")
        return json.loads(connection.getresponse().read())

    @property
    def pid(self) -> int:
        """The engine's process."""
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):  # it has ended
                argv = file.read_bytes().split(b"\0")
                if argv[0] == b"dockerd" and f"unix://{self.engine}".encode() in argv:
                    return int(file.parent.name)
        raise AssertionError("the engine does not run")

    def tags(self) -> set[str]:
        return {tag for image in self.ask("images/json") for tag in image["RepoTags"] or ()}

    def image(self, blueprint_id: str) -> str:
        return next(tag for tag in self.tags() if tag.endswith(f"/image:{blueprint_id}"))


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Generator[OnDocker]:
    try:
        with docker_engine() as path:
            without = {f"LOOPYARD_RUNTIME__{name}": None for name in ("DISK_GIB", "READY_SANDBOXES")}
            env = {"LOOPYARD_RUNTIME__TYPE": "docker", "LOOPYARD_RUNTIME__SOCKET": str(path), **without}
            env["LOOPYARD_RUNTIME__BUILDKIT"] = "true"
            with serving(tmp_path_factory.mktemp("on-docker") / "data", env=env) as server:
                yield OnDocker(server, path)
    except NoEngine as reason:
        pytest.skip(str(reason))


@pytest.fixture
def api(docker: OnDocker) -> Generator[Runloop]:
    with docker.server.client() as client:
        yield client


def test_instructions_and_settings_of_the_image(api: Runloop) -> None:
    dockerfile = """ARG WHO=nobody
FROM loopyard-base AS tools
RUN mkdir /tools && echo made > /tools/it
FROM loopyard-base AS unused
RUN exit 7
FROM loopyard-base
ARG WHO
ENV GREETING="hello \\"$WHO\\"" PATH=/opt/bin:$PATH
RUN echo "$GREETING" > /srv/said && useradd -m -u 4321 worker
RUN <<END
echo one > /srv/one
echo two > /srv/two
END
COPY --from=tools /tools /srv/tools
COPY <<'D' /srv/inline/
$HOME
D
WORKDIR /srv/work
LABEL kind=test
RUN mkdir /data && echo before > /data/before
VOLUME /data
RUN echo after > /data/after
USER worker
RUN id -un > /tmp/me
"""
    blueprint = complete(
        api,
        dockerfile=dockerfile,
        build_args={"WHO": "world"},
        file_mounts={"/srv/mounted file": "content\n"},
        system_setup_commands=["pwd > /tmp/where"],
    )
    files = 'said one two tools/it inline/D "mounted file" /tmp/me /tmp/where /data/before /data/after'
    look = f"cd /srv; cat {files}; echo $GREETING; echo $PATH"
    devbox = api.devboxes.create_and_await_running(blueprint_id=blueprint.id)
    done = api.devboxes.execute_and_await_completion(devbox.id, command=f"pwd; id -un; {look}")
    api.devboxes.shutdown(devbox.id)
    lines = (done.stdout or "").splitlines()
    assert lines[:2] == ["/srv/work", "worker"]
    assert lines[2:13] == [
        'hello "world"',
        "one",
        "two",
        "made",
        "$HOME",
        "content",
        "worker",
        "/srv/work",
        "before",
        "after",
        'hello "world"',
    ]
    assert lines[13].startswith("/opt/bin:")
    above = complete(api, base_blueprint_id=blueprint.id, system_setup_commands=["cat /srv/said > /tmp/again"])
    assert output(api, "cat /tmp/again", blueprint_id=above.id) == 'hello "world"\n'


def test_a_step_that_fails_is_told_with_its_line(api: Runloop, docker: OnDocker) -> None:
    failed = build(api, dockerfile="FROM loopyard-base\n\nRUN echo first\nRUN echo why >&2; exit 3\n")
    assert failed.status == "failed"
    told = said(api, failed.id)
    assert "why" in told
    assert "Dockerfile:4:1: RUN echo why >&2; exit 3: exit status 3" in told
    mounted = f"FROM loopyard-base\n{fresh()}RUN --mount=type=tmpfs,target=/scratch exit 5\n"
    failed = build(api, dockerfile=mounted)
    assert "Dockerfile:3:1: RUN --mount=type=tmpfs,target=/scratch exit 5: exit status 5" in said(api, failed.id)
    assert not any("held" in tag or failed.id in tag for tag in docker.tags())


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("ADD https://example.com/file /srv/", "ADD of URLs"),
        ("RUM true", "RUM"),
        ("COPY --parents a /srv/", "--parents is not offered"),
        ("RUN --mount=type=ssh true", "ssh"),
    ],
)
def test_what_is_not_offered_is_refused_before_anything_runs(api: Runloop, line: str, why: str) -> None:
    failed = build(api, dockerfile=f"FROM loopyard-base\nRUN echo it ran\n{line}\n")
    assert failed.status == "failed"
    assert "Dockerfile:3:" in said(api, failed.id)
    assert why in said(api, failed.id)
    assert "it ran" not in said(api, failed.id)


def test_images_of_the_server_are_nobodys_bases(api: Runloop, docker: OnDocker) -> None:
    one = complete(api, dockerfile=f"FROM loopyard-base\n{fresh()}")
    name = docker.image(one.id)
    digest = docker.ask(f"images/{name}/json")["Id"].removeprefix("sha256:")
    for base in (name, f"docker.io/{name}", digest, digest[:12], "a/../../containers"):
        failed = build(api, dockerfile=f"FROM {base}\nRUN true\n")
        assert failed.status == "failed", base


def test_secrets_are_seen_and_left_nowhere(api: Runloop, docker: OnDocker) -> None:
    api.secrets.create(name="BUILD_TOKEN", value="hush-'hush'-hush")
    dockerfile = """FROM loopyard-base
RUN printf %s "$TOKEN" | sha256sum > /srv/sum
USER 1234
RUN --mount=type=secret,id=TOKEN,uid=1234 test "$(cat /run/secrets/TOKEN)" = "$TOKEN"
RUN --mount=type=cache,target=/tmp/cache,uid=1234 touch /tmp/cache/mine
"""
    blueprint = complete(api, dockerfile=dockerfile, secrets={"TOKEN": "BUILD_TOKEN"})
    look = "cat /srv/sum; printf %s \"hush-'hush'-hush\" | sha256sum; env; ls /dev; find /run/secrets || :"
    lines = output(api, look, blueprint_id=blueprint.id).splitlines()
    assert lines[0] == lines[1]
    assert not any("TOKEN" in line or "loopyard-environment" in line for line in lines)
    name = docker.image(blueprint.id)
    kept = json.dumps([docker.ask(f"images/{name}/{part}") for part in ("json", "history")])
    assert "hush" not in kept + said(api, blueprint.id)
    spare = Path(f"/dev/shm/loopyard-{os.geteuid()}")
    assert not any(
        "hush" in file.read_text(errors="replace") for file in spare.glob("**/builds/**/*") if file.is_file()
    )


def test_a_build_is_limited_in_memory_and_kept_off_a_closed_network(api: Runloop) -> None:
    policy = api.network_policies.create(name="closed for builds")
    dockerfile = "FROM loopyard-base\nRUN ls /sys/class/net > /srv/links; cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us "
    dockerfile += "/sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max > /srv/limits || :\n"
    blueprint = complete(api, dockerfile=dockerfile, network_policy_id=policy.id)
    links, limits = output(
        api, "echo $(cat /srv/links); echo $(cat /srv/limits)", blueprint_id=blueprint.id
    ).splitlines()
    assert "eth" not in links
    assert all(0 < int(limit) < 2**40 for limit in limits.split())
    assert limits


@pytest.mark.parametrize("mount", ["", "--mount=type=tmpfs,target=/scratch "])
def test_a_deleted_build_ends_and_leaves_nothing(api: Runloop, docker: OnDocker, mount: str) -> None:
    sleeps = f"86{time.monotonic_ns() % 10**7}"
    one = api.blueprints.create(name="endless", dockerfile=f"FROM loopyard-base\nRUN {mount}echo on; sleep {sleeps}\n")
    until_said(api, one.id, "on")
    until(lambda: _runs(sleeps))
    api.blueprints.delete(one.id)
    until(lambda: not _runs(sleeps))
    until(lambda: not any(one.id in tag for tag in docker.tags()))
    until(lambda: docker.ask("containers/json", label=[LABEL]) == [])


def test_a_build_goes_on_after_the_server_was_killed(docker: OnDocker) -> None:
    sleeps = f"85{time.monotonic_ns() % 10**7}"
    text = f"FROM loopyard-base\nRUN [ -e /proc/never ] || echo on; sleep 4; : {sleeps}\n"
    with docker.server.client() as client:
        one = client.blueprints.create(name="cut off", dockerfile=text)
        until_said(client, one.id, "on")
    docker.server.kill()
    settings = {"LOOPYARD_RUNTIME__TYPE": "docker", "LOOPYARD_RUNTIME__SOCKET": str(docker.engine)}
    settings["LOOPYARD_RUNTIME__BUILDKIT"] = "true"
    docker.server.start({**settings, "LOOPYARD_RUNTIME__DISK_GIB": None, "LOOPYARD_RUNTIME__READY_SANDBOXES": None})
    with docker.server.client() as client:
        assert ended(client, one.id).status == "build_complete"
        assert output(client, "echo up", blueprint_id=one.id) == "up\n"
    assert not any("held" in tag for tag in docker.tags())


def test_builds_at_once_and_their_end(api: Runloop, docker: OnDocker) -> None:
    texts = [f"FROM loopyard-base\nRUN sleep 1; echo {number} > /srv/number\n" for number in range(2)]
    begun = [api.blueprints.create(name=f"one of two {number}", dockerfile=text) for number, text in enumerate(texts)]
    assert [ended(api, one.id).status for one in begun] == ["build_complete"] * 2
    assert [output(api, "cat /srv/number", blueprint_id=one.id) for one in begun] == ["0\n", "1\n"]
    for one in begun:
        api.blueprints.delete(one.id)
    until(lambda: not any(one.id in tag for one in begun for tag in docker.tags()))


@pytest.mark.anyio
async def test_layers_of_failed_builds_are_freed(api: Runloop, docker: OnDocker) -> None:
    text = f"FROM loopyard-base\n{fresh()}RUN echo left > /srv/left\nRUN exit 9\n"
    assert build(api, dockerfile=text).status == "failed"
    kept = complete(api, dockerfile=f"FROM loopyard-base\n{fresh()}")
    server = docker.image(kept.id).partition("/")[0]
    engine = Engine(docker.engine)
    try:
        keeper = LayersKeeper(engine, server)
        assert list(await keeper.leftovers(1)) == []
        found = list(await keeper.leftovers(0))
        assert found
        for one in found:
            assert await keeper.free(one)
        assert list(await keeper.leftovers(0)) == []
    finally:
        await engine.close()
    assert output(api, "echo up", blueprint_id=kept.id) == "up\n"


def until(holds: Any) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _runs(text: str) -> bool:
    return subprocess.run(("pgrep", "-f", f"sleep {text}$"), check=False, capture_output=True).returncode == 0


def test_an_image_that_one_account_got_with_its_login_is_unknown_to_others(
    api: Runloop, docker: OnDocker, tmp_path: Path
) -> None:
    where = ["--data-dir", str(docker.server.data_dir)]
    account = loopyard("account", "create", "other-of-registries", *where).stdout.strip()
    key = loopyard("key", "create", "--account", account, *where).stdout.strip()
    with (
        registries_beside(docker.pid, tmp_path, busybox_archive(tmp_path)) as address,
        Runloop(bearer_token=key, base_url=docker.server.base_url) as other,
    ):
        image, unknown = (f"{address}:{BASIC}/team/service:{tag}" for tag in ("there", "absent"))
        assert build_service(api, image, USER, PASSWORD).status == "build_complete"

        def refused(asker: Runloop, named: str) -> str:
            failed = build(asker, dockerfile=f"FROM {named}\n")
            assert failed.status == "failed"
            return said(asker, failed.id).replace(named, "it").replace(named.rpartition(":")[2], "tag")

        assert refused(other, image) == refused(other, unknown)
        refused(api, image)
        assert build_service(other, image, USER, f"not-{PASSWORD}").status == "failed"
        assert build_service(other, image, USER, PASSWORD).status == "build_complete"
        refused(other, image)
