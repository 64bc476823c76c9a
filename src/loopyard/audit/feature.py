"""The feature of the audit log."""

from typing import Protocol

from starlette.middleware import Middleware

from loopyard.audit.config import AuditConfig
from loopyard.audit.log import PRUNE_SECONDS, AuditLog
from loopyard.audit.middleware import AuditMiddleware
from loopyard.feature import BackgroundTask, Feature, Server
from loopyard.kit.background.periodic import Periodic


class AuditSettings(Protocol):
    """Settings that this feature reads."""

    audit: AuditConfig


def build(server: Server, settings: AuditSettings) -> Feature:
    """Build the audit log and the middleware that records requests."""
    log = server.offer(AuditLog, AuditLog(server.data_dir, settings.audit))
    return Feature(
        middleware=[Middleware(AuditMiddleware, audit=log)],
        tasks=[
            BackgroundTask("audit", log.run),
            BackgroundTask("audit days", Periodic("deleting old days", log.prune, every=PRUNE_SECONDS).run),
        ],
        flushes=[log.flush],
    )
