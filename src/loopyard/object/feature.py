"""The feature of stored objects."""

from pathlib import Path
from typing import Protocol

from loopyard.account.limits import AccountLimits
from loopyard.feature import BackgroundTask, Feature, Routes, Server
from loopyard.object.config import ObjectConfig
from loopyard.object.content_endpoints import router as content_router
from loopyard.object.deleter import ObjectDeleter
from loopyard.object.endpoints import router
from loopyard.object.leftovers import ObjectsKeeper
from loopyard.object.local import LocalStore
from loopyard.object.s3 import BucketStore
from loopyard.object.service import ObjectService
from loopyard.object.signing import Signer
from loopyard.object.store import ObjectStore


class ObjectSettings(Protocol):
    """Settings that this feature reads."""

    objects: ObjectConfig


def build(server: Server, settings: ObjectSettings) -> Feature:
    """Build the store of objects, its service, and the deletion of expired objects."""
    config = server.offer(ObjectConfig, settings.objects)
    store = server.offer(ObjectStore, _store(server.data_dir, config))
    deleter = ObjectDeleter(server.database, store, config.upload_seconds)
    service = ObjectService(server.database, store, deleter, config, server.get(AccountLimits))
    server.offer(ObjectService, service)
    return Feature(
        routers=[Routes(router), Routes(content_router)],
        openers=[store.open],
        tasks=[BackgroundTask("objects", deleter.run)],
        collectors=[ObjectsKeeper(server.database, store)],
    )


def _store(data_dir: Path, config: ObjectConfig) -> ObjectStore:
    if config.s3 is not None:
        return BucketStore(config.s3, config.max_bytes)
    return LocalStore(data_dir / "objects", Signer(data_dir), config.max_bytes)
