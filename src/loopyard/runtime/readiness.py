"""Protocol of a provider that keeps a warm pool of sandboxes."""

from typing import Protocol, runtime_checkable

from loopyard.runtime.protocol import SandboxSpec


@runtime_checkable
class KeepsReady(Protocol):
    """Keeps some sandboxes ready in the background, while nothing else is being made. `create` hands one over where it
    is like what is asked for, once and to nobody else: nothing has ever run in it. Until then they are in no answer of
    the provider. They end with this process; after a crash the next opening removes them."""

    def keep_ready(self, like: SandboxSpec) -> None:
        """Begin to, with sandboxes that differ from `like` only in id, environment, network policy and user. How many
        is for the configuration to say."""
        ...

    @property
    def ready_count(self) -> int:
        """How many are ready now."""
        ...
