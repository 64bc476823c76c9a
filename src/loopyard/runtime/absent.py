"""Stand-in for a provider where an application is only described, and nothing is asked of it."""

from loopyard.runtime.protocol import Features, Runtime


class NoRuntime(Runtime):
    """Provider of no sandboxes."""

    name = "none"

    @property
    def features(self) -> Features:
        return Features(
            disk_limits=False, user_namespaces=False, metadata_closed=False, network_rules=False, snapshot_xattrs=False
        )
