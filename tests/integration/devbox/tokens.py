"""Looks for the token of a code mount wherever it must not be."""

import sqlite3
import subprocess
from pathlib import Path

from runloop_api_client import Runloop

from tests.integration.devbox.waiting import POLL, execute, run
from tests.serving import ServerProcess


def watch_launch(client: Runloop, devbox_id: str, token: str, cloner: str) -> None:
    """Look at all processes until the devbox runs: none has the token, and the clone, by `cloner`, was among them.

    Raises:
        AssertionError: One has it, or the clone was never seen.
    """
    looked = 0
    while client.devboxes.retrieve(devbox_id).status in ("queued", "provisioning", "initializing"):
        for process in Path("/proc").glob("[0-9]*"):
            try:
                cmdline, environ = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
            except OSError:
                continue
            if b"git_host.py" not in cmdline:
                assert token.encode() not in cmdline
                assert token.encode() not in environ
                looked += cloner.encode() in cmdline
    assert looked > 0, "the clone was never seen at work"


def assert_nowhere(client: Runloop, server: ServerProcess, devbox_id: str, token: str) -> None:
    """Neither the running devbox has the token, nor what is told and kept of it.

    Raises:
        AssertionError: Something has it.
    """
    devbox = client.devboxes.await_running(devbox_id, polling_config=POLL)
    spelled = f"[{token[0]}]{token[1:]}"  # the command is kept, and must not hold the token itself
    leaks = execute(client, devbox_id, f"sudo grep -rl '{spelled}' /home /root /etc /tmp /dev/shm /var")
    assert (leaks.exit_status, leaks.stdout) == (1, "")
    assert "url = " in run(client, devbox_id, "cat tools/.git/config")
    setup = [log for log in client.devboxes.logs.list(devbox_id).logs if log.source == "setup_commands"]
    assert "git clone" in str(setup)
    assert token not in str(setup)
    assert token not in devbox.to_json()
    assert token not in server.log
    folders = [server.data_dir / "commands", server.data_dir / "sandboxes"]
    kept = subprocess.run(["grep", "-rlF", token, *folders], capture_output=True, text=True, check=False).stdout
    # The command above that looked for it is kept with its words; what is kept of the clone has none of it.
    assert not [path for path in kept.splitlines() if "launch." in path]
    with sqlite3.connect(server.data_dir / "loopyard.db") as store:
        mounts = store.execute("SELECT code_mounts FROM devbox WHERE id = ?", (devbox_id,)).fetchone()[0]
    store.close()
    assert "tools" in mounts
    assert token not in mounts
