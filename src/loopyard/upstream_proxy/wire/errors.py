"""Faults of the two sides of an exchange."""


class UpstreamFault(Exception):
    """The upstream could not be reached, hung up, or does not speak HTTP; the message says which."""

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out


class CallerGone(Exception):
    """The devbox hung up, or sent what is no HTTP, in the middle of its request."""
