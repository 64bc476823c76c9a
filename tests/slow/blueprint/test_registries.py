"""Images from registries: mirrors, blocked registries, short names and logins, as the host's files say."""

import base64
import json
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from runloop_api_client import Runloop

from tests.serving import ServerProcess, serving
from tests.slow.blueprint.building import build, complete, output, said
from tests.slow.blueprint.images import busybox_archive
from tests.slow.blueprint.registry import BASIC, OPEN, PASSWORD, TOKEN, USER, registries

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
        unlocked, basic, token = (f"{address}:{port}" for port in (OPEN, BASIC, TOKEN))
        yield Host(unlocked, basic, token, folder / "auth.json", folder / "log")


@pytest.fixture(scope="module")
def fetching_server(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Generator[ServerProcess]:
    folder = tmp_path_factory.mktemp("fetching")
    (folder / "registries.conf").write_text(_REGISTRIES.format(open=host.open, basic=host.basic, token=host.token))
    env = {
        "CONTAINERS_REGISTRIES_CONF": str(folder / "registries.conf"),
        "REGISTRY_AUTH_FILE": str(host.logins),
        "LOOPYARD_BUILDS__TIMEOUT_SECONDS": "120",
    }
    with serving(folder / "data", env=env) as server:
        yield server


@pytest.fixture
def client(fetching_server: ServerProcess, host: Host) -> Generator[Runloop]:
    host.log_in()
    with fetching_server.client() as client:
        yield client


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
    assert "registry blocked.example is blocked" in said(client, failed.id)


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
