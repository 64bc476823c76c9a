"""Who gets in: the key of a devbox, as its user, while it is there."""

import dataclasses
import os
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest
from runloop_api_client import APIStatusError, NotFoundError, Runloop

from tests.integration.devbox.ssh.clients import Login, run
from tests.integration.devbox.tunnel.services import until
from tests.serving import ServerProcess, serving


def test_a_key_is_a_pem_for_the_devboxs_user(module_client: Runloop, devbox_id: str) -> None:
    made = module_client.devboxes.create_ssh_key(devbox_id)
    assert made.ssh_private_key.startswith("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    assert made.ssh_user == "user"
    other = module_client.devboxes.create_ssh_key(devbox_id)
    assert other.ssh_private_key != made.ssh_private_key


def test_the_user_is_the_one_the_devbox_was_made_with(client: Runloop, tmp_path: Path) -> None:
    devbox = client.devboxes.create_and_await_running(
        launch_parameters={"user_parameters": {"uid": 0, "username": "root"}}
    )
    login = Login.to(client, devbox.id, tmp_path)
    assert login.user == "root"
    assert login.run("id -u; pwd").stdout == b"0\n/root\n"
    client.devboxes.shutdown(devbox.id)


def test_a_key_opens_its_own_devbox_only_and_ends_with_it(client: Runloop, login: Login, tmp_path: Path) -> None:
    devbox = client.devboxes.create_and_await_running(name="other")
    other = Login.to(client, devbox.id, tmp_path)
    other.run("echo other > whose")
    assert login.run("cat whose").returncode == 1
    with subprocess.Popen(other.ssh("echo on; sleep 1000"), stdout=subprocess.PIPE) as connected:
        assert connected.stdout is not None
        assert connected.stdout.readline() == b"on\n"
        client.devboxes.shutdown(devbox.id)
        assert connected.wait(20) != 0
    refused = other.run("true")
    assert refused.returncode == 255
    assert b"Permission denied" in refused.stderr
    assert login.run("true").returncode == 0


def test_other_users_and_other_keys_are_refused(login: Login, tmp_path: Path) -> None:
    for user in ("root", "nobody", "User", "x" * 100):
        assert b"Permission denied" in dataclasses.replace(login, user=user).run("true").stderr
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "own")])
    assert b"Permission denied" in dataclasses.replace(login, key=tmp_path / "own").run("true").stderr
    assert login.run("true").returncode == 0


def test_no_private_key_is_kept_and_no_command_is_logged(server: ServerProcess, login: Login) -> None:
    login.run("echo unmistakable-in-a-log")
    middle = login.key.read_text().splitlines()[2]
    for path in server.data_dir.glob("loopyard.db*"):
        assert middle.encode() not in path.read_bytes()
    assert "unmistakable-in-a-log" not in server.log
    assert "PRIVATE KEY" not in server.log


def test_the_gateways_own_keys_are_private(server: ServerProcess) -> None:
    for name in ("ssh-host-key", "ssh-tls.pem"):
        assert stat.S_IMODE((server.data_dir / name).stat().st_mode) == 0o600


def test_ssh_inside_tls_works_on_the_same_port(login: Login) -> None:
    """As the clients' documentation has it: a ProxyCommand by openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    proxy = f"ProxyCommand=openssl s_client -quiet -servername %h -connect {login.host}:{login.port} 2>/dev/null"
    data = os.urandom(1_000_000)
    done = login.run("cat", before=("-o", proxy), input=data)
    assert done.stdout == data


def test_errors_of_callers(client: Runloop) -> None:
    with pytest.raises(NotFoundError):
        client.devboxes.create_ssh_key("dbx_none")
    devbox = client.devboxes.create()
    client.devboxes.shutdown(devbox.id)
    with pytest.raises(APIStatusError) as refused:
        client.devboxes.create_ssh_key(devbox.id)
    assert refused.value.status_code == 409


def test_a_session_keeps_its_devbox_from_idling(client: Runloop, tmp_path: Path) -> None:
    devbox = client.devboxes.create_and_await_running(
        launch_parameters={"after_idle": {"idle_time_seconds": 3, "on_idle": "shutdown"}}
    )
    login = Login.to(client, devbox.id, tmp_path)
    assert login.run("sleep 8; echo still here").stdout == b"still here\n"
    assert client.devboxes.retrieve(devbox.id).status == "running"
    until(15, lambda: client.devboxes.retrieve(devbox.id).status == "shutdown")


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_of_a_connection_outlives_the_server(tmp_path: Path, end: signal.Signals) -> None:
    with serving(tmp_path / "data") as server:
        devbox = server.client().devboxes.create_and_await_running()
        login = Login.to(server.client(), devbox.id, tmp_path)
        plain = subprocess.Popen(login.ssh("echo on; exec -a over-ssh sleep 1000"), stdout=subprocess.PIPE)
        screen = subprocess.Popen(
            login.ssh("echo on; exec -a over-ssh sleep 1001", before=("-tt",)),
            stdout=subprocess.PIPE,
            stdin=subprocess.PIPE,
        )
        for client in (plain, screen):
            assert client.stdout is not None
            assert client.stdout.readline().strip() == b"on"
        begun = time.monotonic()
        if end == signal.SIGTERM:
            server.stop()
            assert time.monotonic() - begun < 15
        else:
            server.kill()
        for client in (plain, screen):
            assert client.wait(20) != 0
            client.communicate()
        server.start()
        listing = server.client().devboxes.execute(devbox.id, command="sleep 0.5; pgrep -af '[o]ver-ssh'; true")
        assert not listing.stdout
        again = dataclasses.replace(login, port=server.client().devboxes.create_ssh_key(devbox.id).url.split(":")[1])
        login.key.with_name("known_hosts").write_text(
            login.key.with_name("known_hosts").read_text().replace(f"]:{login.port}", f"]:{again.port}")
        )
        assert again.run("echo host key and own key are kept").returncode == 0


def test_a_server_without_ssh_says_so(tmp_path: Path) -> None:
    with serving(tmp_path / "data", env={"LOOPYARD_SSH__ENABLED": "false"}) as server:
        devbox = server.client().devboxes.create_and_await_running()
        with pytest.raises(APIStatusError) as refused:
            server.client().devboxes.create_ssh_key(devbox.id)
        assert refused.value.status_code == 400
