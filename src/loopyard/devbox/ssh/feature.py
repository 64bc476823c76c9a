"""The feature of SSH into devboxes."""

from typing import Protocol

from loopyard.audit.log import AuditLog
from loopyard.auth.authenticator import Authenticator
from loopyard.auth.live import LiveConnections
from loopyard.devbox.lifecycle.activity import Activity
from loopyard.devbox.lifecycle.shutdown import Endings
from loopyard.devbox.service import DevboxService
from loopyard.devbox.ssh.config import SshConfig
from loopyard.devbox.ssh.endpoints import router
from loopyard.devbox.ssh.gateway import SshGateway
from loopyard.devbox.ssh.keys import SshKeys
from loopyard.feature import BackgroundTask, Feature, Routes, Server, Traffic


class SshSettings(Protocol):
    """Settings that this feature reads."""

    ssh: SshConfig


def build(server: Server, settings: SshSettings) -> Feature:
    """Build the SSH server. Keys end with their devbox."""
    gateway = SshGateway(
        server.ssh_listener,
        settings.ssh,
        server.data_dir,
        server.database,
        server.runtime,
        server.get(Activity),
        server.get(Authenticator),
        server.get(LiveConnections),
        server.get(AuditLog),
    )
    keys = server.offer(SshKeys, SshKeys(server.get(DevboxService), gateway))
    server.get(Endings).add_listener(keys.revoke)
    return Feature(routers=[Routes(router, Traffic.NORMAL)], tasks=[BackgroundTask("ssh", gateway.run)])
