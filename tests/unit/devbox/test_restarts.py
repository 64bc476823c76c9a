"""A server that is ended and started again over the same data folder and host."""

from runloop_api_client import Runloop

from tests.integration.devbox.waiting import POLL, run, wait_for, wait_until
from tests.unit.in_process.server import InProcessServer


def _again(server: InProcessServer) -> Runloop:
    server.restart()
    return server.client()


def test_devboxes_commands_and_their_output_go_on(own_server: InProcessServer, own: Runloop) -> None:
    made = own.devboxes.create_and_await_running(polling_config=POLL)
    script = "echo begun; while [ ! -e go ]; do sleep 0.02; done; echo went on; exit 5"
    running = own.devboxes.execute_async(made.id, command=script)
    with _again(own_server) as client:
        assert client.devboxes.retrieve(made.id).status == "running"
        assert client.devboxes.executions.retrieve(running.execution_id, devbox_id=made.id).status == "running"
        run(client, made.id, "touch go")
        ended = client.devboxes.executions.await_completed(running.execution_id, devbox_id=made.id, polling_config=POLL)
        assert (ended.exit_status, ended.stdout) == (5, "begun\nwent on\n")


def test_what_went_down_meanwhile_has_failed(own_server: InProcessServer, own: Runloop) -> None:
    ids = [own.devboxes.create_and_await_running(polling_config=POLL).id for _ in range(4)]
    own.devboxes.suspend(ids[3])
    wait_for(own, ids[3], "suspended")
    own_server.stop()
    own_server.run(own_server.host.end_first_process(ids[0]))
    own_server.run(own_server.host.end_first_process(ids[1], out_of_memory=True))
    del own_server.host.boxes[ids[3]]
    own_server.start()
    with own_server.client() as client:
        failed = [wait_for(client, devbox_id, "failure").failure_reason for devbox_id in (ids[0], ids[1], ids[3])]
        assert failed == ["health_check_failed", "out_of_memory", "health_check_failed"]
        assert client.devboxes.retrieve(ids[2]).status == "running"


def test_sandboxes_that_the_store_does_not_know_are_removed(own_server: InProcessServer, own: Runloop) -> None:
    kept = own.devboxes.create_and_await_running(polling_config=POLL)
    own_server.host.boxes["stray"] = own_server.host.boxes[kept.id].__class__(
        own_server.host.boxes[kept.id].spec, own_server.host.boxes[kept.id].disk.copy()
    )
    with _again(own_server):
        wait_until(lambda: "stray" not in own_server.host.boxes, lambda: str(set(own_server.host.boxes)))
        assert kept.id in own_server.host.boxes


def test_a_devbox_that_was_ended_while_nobody_served_is_freed(own_server: InProcessServer, own: Runloop) -> None:
    made = own.devboxes.create_and_await_running(polling_config=POLL)
    spec = own_server.host.boxes[made.id]
    own.devboxes.shutdown(made.id)
    wait_until(lambda: made.id not in own_server.host.boxes, lambda: "it is still there")
    own_server.stop()
    own_server.host.boxes[made.id] = spec  # as if the host had not come to it
    own_server.start()
    wait_until(lambda: made.id not in own_server.host.boxes, lambda: "it is still there")
    with own_server.client() as client:
        assert client.devboxes.retrieve(made.id).status == "shutdown"
