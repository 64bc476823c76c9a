"""Debian's own clients, pointed at a devbox: ssh, scp, sftp, rsync."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runloop_api_client import Runloop


@dataclass(frozen=True)
class Login:
    """A key that was made for a devbox, in a file, and where to go with it."""

    key: Path
    user: str
    host: str
    port: str

    @classmethod
    def to(cls, client: Runloop, devbox_id: str, folder: Path) -> "Login":
        """Make a key for the devbox."""
        made = client.devboxes.create_ssh_key(devbox_id)
        assert made.id == devbox_id
        key = folder / f"{devbox_id}.{len(list(folder.iterdir()))}.pem"
        key.touch(0o600)
        key.write_text(made.ssh_private_key)
        host, _, port = made.url.partition(":")
        return cls(key, made.ssh_user, host, port or "22")

    @property
    def options(self) -> list[str]:
        given = {
            "BatchMode": "yes",
            "ConnectTimeout": "20",
            "IdentitiesOnly": "yes",
            "LogLevel": "ERROR",
            "StrictHostKeyChecking": "accept-new",
            "UserKnownHostsFile": str(self.key.with_name("known_hosts")),
        }
        return ["-F", "none", "-i", str(self.key), *(f"-o{name}={value}" for name, value in given.items())]

    def ssh(self, *arguments: str, before: tuple[str, ...] = ()) -> list[str]:
        """The command line that runs a command in the devbox; `before` are more options of ssh."""
        return ["ssh", *before, *self.options, "-p", self.port, f"{self.user}@{self.host}", *arguments]

    def run(
        self, *arguments: str, before: tuple[str, ...] = (), input: bytes = b"", **more: Any
    ) -> subprocess.CompletedProcess[bytes]:
        return run(self.ssh(*arguments, before=before), input=input, **more)


def run(
    command: list[str], *, input: bytes = b"", timeout: float = 60, **more: Any
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, input=input, capture_output=True, timeout=timeout, check=False, **more)
