"""Refusals of network policies, told by sandbox."""

from collections.abc import Mapping

from loopyard.runtime.crun.host.instance import Instance
from loopyard.runtime.crun.sandbox.services import is_service
from loopyard.runtime.crun.sandbox.store import SandboxRecord
from loopyard.runtime.refusals import Refused


class RefusalReporter:
    """Reports to `refused` in which of the sandboxes that run something was refused."""

    def __init__(self, instance: Instance, boxes: Mapping[str, SandboxRecord]) -> None:
        self._instance = instance
        self._boxes = boxes
        self.refused: Refused = lambda _sandbox_id, _message: None

    def sandbox_at(self, address: str) -> str | None:
        """The sandbox that has this address; None if there is none."""
        if (slot := self._instance.slot_at(address)) is None:
            return None
        # A service has a slot of its own, but the network of its sandbox.
        found = (name for name, box in tuple(self._boxes.items()) if box.slot == slot and not is_service(name))
        return next(found, None)

    def report(self, address: str, message: str) -> None:
        """Tell what was refused to the sandbox with this address."""
        if (sandbox_id := self.sandbox_at(address)) is not None:
            self.refused(sandbox_id, message)
