"""A server on a data folder that another provider of sandboxes has used: no devbox runs without its own policy."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from runloop_api_client import BadRequestError

from tests.integration.devbox.host import Host
from tests.integration.devbox.waiting import POLL, run
from tests.serving import ServerProcess

SPARE = 2
ON_CRUN = {
    "LOOPYARD_RUNTIME__SPARE_SLOTS": str(SPARE),
    "LOOPYARD_RUNTIME__READY_SANDBOXES": "0",
    "LOOPYARD_RUNTIME__DISK_GIB": "20",
}
RULES = {"allowed_hostnames": ["example.com"]}


def test_devboxes_of_another_provider_are_not_taken_up(on_docker: Mapping[str, str | None], tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data").start(ON_CRUN)
    host = Host(server.data_dir, SPARE)
    with server.client() as api:
        policy = api.network_policies.create(name="rules", **RULES)  # type: ignore[arg-type]
        launch = {"network_policy_id": policy.id}
        running, asleep = (
            api.devboxes.create_and_await_running(launch_parameters=launch).id  # type: ignore[arg-type]
            for _ in range(2)
        )
        run(api, asleep, "echo kept > file")
        api.devboxes.suspend(asleep)
        api.devboxes.await_suspended(asleep, polling_config=POLL)
        snapshot = api.devboxes.snapshot_disk(asleep)
        processes = host.processes(running)
    server.stop()

    with pytest.raises(RuntimeError, match="the server ended with 1") as refused:
        server.start(on_docker)
    said = " ".join(str(refused.value).split())
    assert "has 2 devboxes and 1 snapshots of the crun provider" in said
    assert "With LOOPYARD_RUNTIME__TYPE=crun they go on" in said
    assert host.processes(running) >= processes, "it was ended, or lost"

    server.start(ON_CRUN)
    with server.client() as api:
        assert api.devboxes.retrieve(running).status == "running"
        api.devboxes.resume(asleep)
        api.devboxes.await_running(asleep, polling_config=POLL)
        assert run(api, asleep, "cat file") == "kept\n"
        for devbox_id in (running, asleep):
            api.devboxes.shutdown(devbox_id)
        api.devboxes.disk_snapshots.delete(snapshot.id)
        host.wait_for_only(server.pid, ())
    server.stop()

    server.start(on_docker)  # nothing of crun's is left but the policy
    with server.client() as api:
        with pytest.raises(BadRequestError) as error:
            api.devboxes.create(launch_parameters=launch)  # type: ignore[arg-type]
        assert error.value.body["field"] == "launch_parameters.network_policy_id"  # type: ignore[index]
        assert "cannot enforce allowed_hostnames" in str(error.value)
        assert [devbox.status for devbox in api.devboxes.list()] == ["shutdown", "shutdown"]
        api.network_policies.update(policy.id, allowed_hostnames=[])
        closed = api.devboxes.create_and_await_running(launch_parameters=launch).id  # type: ignore[arg-type]
        assert run(api, closed, "ls /sys/class/net | grep -c eth || true") == "0\n"
    server.stop()

    with pytest.raises(RuntimeError, match="of the docker provider"):
        server.start(ON_CRUN)
    server.start(on_docker)
    with server.client() as api:
        assert run(api, closed, "echo still here") == "still here\n"
        api.devboxes.shutdown(closed)
    server.stop()
