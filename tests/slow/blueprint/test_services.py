"""Services run beside devboxes, in their network, and come and go with them."""

import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from runloop_api_client import BadRequestError, Runloop

from tests.integration.devbox.waiting import execute, run, wait_for
from tests.serving import ServerProcess, serving
from tests.slow.blueprint.building import build, complete, said
from tests.slow.blueprint.images import busybox_archive, import_image

WEB = "web:test"
"""An image that answers HTTP with what its variables say."""

SERVE = 'mkdir -p /www && echo "$GREETING from $(id -u)" > /www/index.html && exec busybox httpd -f -p 8000 -h /www'


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, images: Path) -> str:
    archive = busybox_archive(tmp_path_factory.mktemp("web"))
    changes = (f"--change=CMD {SERVE}", "--change=ENV GREETING=hello")
    import_image(Path(sys.executable).with_name("loopyard"), archive, WEB, *changes)
    return WEB


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory, web: str) -> Generator[tuple[ServerProcess, str]]:
    """A server, and a blueprint with two services on it."""
    with serving(tmp_path_factory.mktemp("services") / "data") as server:
        with server.client() as client:
            services = [
                {"name": "web", "image": web, "env": {"GREETING": "good day"}, "port_mappings": ["8000:8000"]},
                {"name": "unused", "image": web},
            ]
            blueprint = complete(client, "with services", services=services)
            assert [one.name for one in blueprint.containerized_services or []] == ["web", "unused"]
        yield server, blueprint.id


def fetch(client: Runloop, devbox_id: str) -> str:
    return run(client, devbox_id, "curl --silent --fail --retry 20 --retry-connrefused --retry-delay 1 http://web:8000")


def test_a_service_is_in_the_network_of_its_devbox_and_goes_with_it(beside: tuple[ServerProcess, str]) -> None:
    server, blueprint_id = beside
    with server.client() as client:
        launch = {
            "required_services": ["web"],
            "launch_commands": ["curl --silent --retry 20 --retry-connrefused http://localhost:8000 > ~/at-launch"],
        }
        devbox = client.devboxes.create_and_await_running(blueprint_id=blueprint_id, launch_parameters=launch)  # type: ignore[arg-type]
        assert run(client, devbox.id, "cat ~/at-launch") == "good day from 0\n"
        # It has processes, files and a host name of its own.
        assert execute(client, devbox.id, "pgrep httpd || ls /www").exit_status != 0
        plain = client.devboxes.create_and_await_running(blueprint_id=blueprint_id)
        assert execute(client, plain.id, "curl --silent --max-time 2 http://localhost:8000").exit_status != 0

        server.kill()
        server.start()
    with server.client() as client:
        assert fetch(client, devbox.id) == "good day from 0\n"
        assert sorted(one.id for one in client.devboxes.list(status="running")) == sorted([devbox.id, plain.id])
        client.devboxes.suspend(devbox.id)
        wait_for(client, devbox.id, "suspended")
        client.devboxes.resume(devbox.id)
        wait_for(client, devbox.id, "running")
        assert fetch(client, devbox.id) == "good day from 0\n"
        folders = server.data_dir / "sandboxes"
        assert [one.name for one in folders.iterdir() if ".svc." in one.name] == [f"{devbox.id}.svc.web"]
        for one in (devbox, plain):
            client.devboxes.shutdown(one.id)
        server.stop()  # it ends what has ended
    assert not list(folders.iterdir())
    cgroups = [list(Path("/sys/fs/cgroup").glob(f"{top}loopyard/*/{devbox.id}*")) for top in ("", "memory/")]
    assert cgroups == [[], []]
    server.start()


def test_services_that_are_not_there_are_refused_and_images_that_run_nothing_fail(
    beside: tuple[ServerProcess, str], busybox: str
) -> None:
    server, blueprint_id = beside
    with server.client() as client:
        once = client.with_options(max_retries=0)
        for params in ({"blueprint_id": blueprint_id}, {}):
            with pytest.raises(BadRequestError) as refused:
                once.devboxes.create(**params, launch_parameters={"required_services": ["nobody"]})  # type: ignore[arg-type]
            assert refused.value.response.json()["field"] == "launch_parameters.required_services"
        for wrong in ({"name": "a", "image": "two words"}, {"name": "a", "image": "b", "port_mappings": ["1:2"]}):
            with pytest.raises(BadRequestError):
                once.blueprints.create(name="wrong", services=[wrong])  # type: ignore[list-item]
        failed = build(client, services=[{"name": "silent", "image": busybox}])
        assert failed.status == "failed"
        assert "does not say what is to be run" in said(client, failed.id)
