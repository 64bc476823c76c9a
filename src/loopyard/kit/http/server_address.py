"""The address of this server, for programs that the server starts."""


class ServerAddress:
    """The address, once the server listens; empty before."""

    def __init__(self) -> None:
        self.url = ""

    def listens(self, host: str, port: int) -> None:
        """Record that the server listens there. All addresses include the loopback address."""
        reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - what clients are told, not where the server listens
        self.url = f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"
