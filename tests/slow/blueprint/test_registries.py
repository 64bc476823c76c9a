"""Images from registries: mirrors, blocked registries, short names and logins, as the host's files say."""

import base64
import hashlib
import json
import re
import subprocess
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from runloop_api_client import Runloop
from runloop_api_client.types import BlueprintView

from tests.commands import loopyard
from tests.serving import ServerProcess, serving
from tests.slow.blueprint.building import build, build_service, complete, output, said
from tests.slow.blueprint.images import busybox_archive
from tests.slow.blueprint.registry import BASIC, KNOWN, OPEN, PASSWORD, TOKEN, UNKNOWN, USER, registries

_REGISTRIES = """
short-name-mode = "permissive"
unqualified-search-registries = ["{open}"]

[aliases]
"shortened" = "{open}/team/alias"

[[registry]]
prefix = "mirrored.example"
location = "mirrored.example"
[[registry.mirror]]
location = "{open}/mirror"
insecure = true
[[registry.mirror]]
location = "{basic}/mirror"
insecure = true

[[registry]]
prefix = "moved.example/old"
location = "{open}/new"
insecure = true

[[registry]]
prefix = "blocked.example"
location = "blocked.example"
blocked = true

[[registry]]
location = "{open}"
insecure = true

[[registry]]
location = "{basic}"
insecure = true

[[registry]]
location = "{token}"
insecure = true
"""


@dataclass(frozen=True, slots=True)
class Host:
    """Registries, by what they want of who asks; the file with the host's logins, and the log of the registries."""

    open: str
    basic: str
    token: str
    known: str
    unknown: str
    logins: Path
    log: Path

    def log_in(self, *names: str, password: str = PASSWORD) -> None:
        """Have the host know a login of some registries, and of no other."""
        known = {name: {"auth": base64.b64encode(f"{USER}:{password}".encode()).decode()} for name in names}
        self.logins.write_text(json.dumps({"auths": known}))


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Generator[Host]:
    folder = tmp_path_factory.mktemp("registries")
    with registries(folder, busybox_archive(tmp_path_factory.mktemp("archive"))) as address:
        unlocked, basic, token, known, unknown = (f"{address}:{port}" for port in (OPEN, BASIC, TOKEN, KNOWN, UNKNOWN))
        yield Host(unlocked, basic, token, known, unknown, folder / "auth.json", folder / "log")


@pytest.fixture(scope="module")
def fetching_server(host: Host, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[ServerProcess]:
    """It has images of its own: nothing was fetched so far, and its base image knows one more authority."""
    folder = tmp_path_factory.mktemp("fetching")
    (folder / "images").mkdir()
    subprocess.run(["cp", "-al", (images / "base").resolve(), folder / "images"], check=True)
    (folder / "registries.conf").write_text(_REGISTRIES.format(open=host.open, basic=host.basic, token=host.token))
    env = {
        "CONTAINERS_REGISTRIES_CONF": str(folder / "registries.conf"),
        "REGISTRY_AUTH_FILE": str(host.logins),
        "LOOPYARD_BUILDS__TIMEOUT_SECONDS": "120",
        "LOOPYARD_RUNTIME__IMAGES": str(folder / "images"),
        "LOOPYARD_RUNTIME__CA_BUNDLE": str(host.log.parent / "known/authority.pem"),
    }
    with serving(folder / "data", env=env) as server:
        yield server


@pytest.fixture
def client(fetching_server: ServerProcess, host: Host) -> Generator[Runloop]:
    host.log_in()
    with fetching_server.client() as client:
        yield client


@pytest.fixture
def other(fetching_server: ServerProcess) -> Generator[Runloop]:
    """Another account's client."""
    where = ["--data-dir", str(fetching_server.data_dir)]
    account = loopyard("account", "create", f"other-{name()}", *where).stdout.strip()
    key = loopyard("key", "create", "--account", account, *where).stdout.strip()
    with Runloop(bearer_token=key, base_url=fetching_server.base_url) as other:
        yield other


def name() -> str:
    """A tag that nobody has fetched."""
    return uuid4().hex[:12]


def test_an_image_is_fetched_and_is_as_it_says(client: Runloop, host: Host) -> None:
    blueprint = complete(client, dockerfile=f"FROM {host.open}/team/tool:{name()}\nRUN echo $FROM_REGISTRY > /said\n")
    assert output(client, "cat /said; echo $FROM_REGISTRY", blueprint_id=blueprint.id) == "yes\nyes\n"


def test_mirrors_and_other_places_are_those_of_the_file(client: Runloop, host: Host) -> None:
    complete(client, dockerfile=f"FROM mirrored.example/team/tool:{name()}\n")
    complete(client, dockerfile=f"FROM moved.example/old/tool:{name()}\n")
    asked = host.log.read_text().splitlines()
    assert f"{OPEN} mirror/team/tool 200" in asked
    assert f"{OPEN} new/tool 200" in asked


def test_a_mirror_that_has_nothing_is_followed_by_the_next(client: Runloop, host: Host) -> None:
    host.log_in(host.basic)
    # The first mirror has no image of this name; the second has none either, and wants a login, which it gets.
    failed = build(client, dockerfile=f"FROM mirrored.example/team/none:{name()}\n")
    assert failed.status == "failed"
    asked = host.log.read_text().splitlines()
    assert f"{OPEN} mirror/team/none 200" in asked
    assert f"{BASIC} mirror/team/none 200" in asked


def test_short_names_are_looked_for_where_the_file_says(client: Runloop, host: Host) -> None:
    complete(client, dockerfile=f"FROM short-{name()}\n")
    complete(client, dockerfile=f"FROM shortened:{name()}\n")
    asked = host.log.read_text()
    assert f"{OPEN} short-" in asked
    assert f"{OPEN} team/alias 200" in asked


def test_a_blocked_registry_is_not_asked(client: Runloop) -> None:
    failed = build(client, dockerfile=f"FROM blocked.example/team/tool:{name()}\n")
    assert failed.status == "failed"
    told = said(client, failed.id)
    assert "registry blocked.example is blocked" in told
    assert "registries.conf" not in told
    assert not re.search(r"\s/\w", told)  # a path of the host


@pytest.mark.parametrize("kind", ["basic", "token"])
def test_logins_of_the_host_are_used_and_are_in_no_error(
    client: Runloop, host: Host, kind: str, fetching_server: ServerProcess
) -> None:
    place = getattr(host, kind)
    unknown = build(client, dockerfile=f"FROM {place}/team/tool:{name()}\n")
    assert unknown.status == "failed"
    assert f"The image {place}/team/tool:" in said(client, unknown.id)
    assert "unauthorized" in said(client, unknown.id)
    host.log_in(place)
    complete(client, dockerfile=f"FROM {place}/team/tool:{name()}\n")
    host.log_in(place, password=f"not-{PASSWORD}")
    wrong = build(client, dockerfile=f"FROM {place}/team/tool:{name()}\n")
    assert wrong.status == "failed"
    told = said(client, wrong.id)
    assert "unauthorized" in told or "invalid username/password" in told
    coded = base64.b64encode(f"{USER}:not-{PASSWORD}".encode()).decode()
    for secret in (PASSWORD, coded):
        assert secret not in told
        assert secret not in fetching_server.log


def test_a_login_of_a_build_goes_before_the_hosts(client: Runloop, host: Host, fetching_server: ServerProcess) -> None:
    host.log_in(host.basic, password="wrong")
    image = f"{host.basic}/team/service:{name()}"

    def with_password(password: str) -> tuple[str, str]:
        credentials = {"username": USER, "password": password}
        services = [{"name": "one", "image": image, "credentials": credentials}]
        blueprint = build(client, services=services)
        return blueprint.status, said(client, blueprint.id)

    status, told = with_password(f"also-not-{PASSWORD}")
    assert status == "failed"
    assert f"The image {image} cannot be fetched" in told
    assert PASSWORD not in told + fetching_server.log
    assert with_password(PASSWORD)[0] == "build_complete"


def with_login(client: Runloop, image: str, password: str = PASSWORD) -> BlueprintView:
    return build_service(client, image, USER, password)


@pytest.mark.parametrize("kind", ["basic", "token"])
def test_an_image_that_one_account_got_with_its_login_is_unknown_to_others(
    client: Runloop, other: Runloop, host: Host, kind: str
) -> None:
    place = getattr(host, kind)
    image, unknown = (f"{place}/team-{name()}/service:{name()}" for _ in range(2))
    assert with_login(client, image).status == "build_complete"

    def refused(asker: Runloop, line: str) -> str:
        failed = build(asker, dockerfile=line)
        assert failed.status == "failed", line
        told = said(asker, failed.id)
        assert "unauthorized" in told
        return told

    for line in ("FROM {}\n", "FROM scratch\nCOPY --from={} /bin/sh /\n"):
        there, absent = (re.sub("[0-9a-f]{12}", "", refused(other, line.format(one))) for one in (image, unknown))
        assert there == absent
    refused(client, f"FROM {image}\n")  # without the login, the account has no right to it either
    assert with_login(other, image, f"not-{PASSWORD}").status == "failed"
    assert with_login(other, image).status == "build_complete"


def test_neither_an_images_id_nor_its_digest_opens_it(client: Runloop, other: Runloop, host: Host) -> None:
    image = f"{host.basic}/team-{name()}/service"
    assert with_login(client, image).status == "build_complete"
    manifest = (host.log.parent / "manifest.json").read_bytes()
    digest = hashlib.sha256(manifest).hexdigest()
    image_id = json.loads(manifest)["config"]["digest"].removeprefix("sha256:")
    for named in (f"{image}@sha256:{digest}", f"sha256:{image_id}"):
        assert build(other, dockerfile=f"FROM {named}\n").status == "failed", named
    # The beginning of an id is a name like any other, for which the registry of short names is asked.
    complete(other, dockerfile=f"FROM {image_id[:12]}\n")
    assert f"{OPEN} {image_id[:12]} 200" in host.log.read_text().splitlines()


def test_the_registry_decides_each_time_about_an_image_with_a_login(client: Runloop, host: Host) -> None:
    repository = f"team-{name()}/service"
    before = host.log.read_text().splitlines()
    for times in (1, 2):
        assert with_login(client, f"{host.basic}/{repository}").status == "build_complete"
        asked = host.log.read_text().splitlines()[len(before) :]
        assert asked.count(f"{BASIC} {repository} 200") == times
    layers = json.loads((host.log.parent / "manifest.json").read_text())["layers"]
    assert asked.count(f"{BASIC} {repository} 200 blob") <= len(layers) + 2  # and the configuration, each time


def test_an_image_without_a_login_is_fetched_once_for_all_accounts(client: Runloop, other: Runloop, host: Host) -> None:
    repository = f"team-{name()}/tool"
    requests = f"{OPEN} {repository} 200"
    assert with_login(client, f"{host.open}/{repository}").status == "build_complete"
    with_a_login = host.log.read_text().splitlines().count(requests)
    complete(other, dockerfile=f"FROM {host.open}/{repository}\n")
    without = host.log.read_text().splitlines().count(requests)
    assert without > with_a_login
    complete(client, dockerfile=f"FROM {host.open}/{repository}\nENV A=b\n")
    complete(other, dockerfile=f"FROM {host.open}/{repository}\nENV A=c\n")
    assert host.log.read_text().splitlines().count(requests) == without


def test_logins_of_the_host_are_lent_to_all_accounts(client: Runloop, other: Runloop, host: Host) -> None:
    image = f"{host.basic}/team/lent:{name()}"
    host.log_in(host.basic)
    complete(client, dockerfile=f"FROM {image}\n")
    host.log_in()
    complete(other, dockerfile=f"FROM {image}\n")


def test_registries_are_trusted_by_the_operators_own_authorities(client: Runloop, host: Host) -> None:
    complete(client, dockerfile=f"FROM {host.known}/team/tool:{name()}\nADD https://{host.known}/v2/ /answer\n")
    for line in (f"FROM {host.unknown}/team/tool:{name()}", f"FROM scratch\nADD https://{host.unknown}/v2/ /answer"):
        failed = build(client, dockerfile=f"{line}\n")
        assert failed.status == "failed"
        assert "certificate" in said(client, failed.id)
    assert not any(line.startswith(f"{UNKNOWN} ") for line in host.log.read_text().splitlines())
