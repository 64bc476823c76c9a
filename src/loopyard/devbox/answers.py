"""The feature of answers about devboxes, which packages below ask for through protocols of their own."""

from loopyard.blueprint.builder import BlueprintUsers
from loopyard.devbox import disks, users
from loopyard.feature import Feature, Server
from loopyard.network_policy.enforcement import PolicyUsers
from loopyard.snapshot.source import SnapshotSources


def build(server: Server, _: object) -> Feature:
    """Offer what the store says of devboxes to those who build before them."""
    server.offer(PolicyUsers, users)
    server.offer(SnapshotSources, disks)
    server.offer(BlueprintUsers, users)
    return Feature()
