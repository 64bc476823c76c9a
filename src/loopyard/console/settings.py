"""Settings of the server as far as the console's pages use or show them."""

from pathlib import Path
from typing import Any, Literal, Protocol

from loopyard.account.config import Limits
from loopyard.console.config import ConsoleConfig
from loopyard.devbox.tunnel.config import TunnelConfig


class ServerSettings(Protocol):
    """Settings of one server."""

    console: ConsoleConfig
    data_dir: Path
    limits: Limits
    tunnel: TunnelConfig

    def model_dump(self, *, mode: Literal["json"]) -> dict[str, Any]:
        """All settings by name, as JSON has them."""
        ...
