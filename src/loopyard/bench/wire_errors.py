"""The official client's errors, for people."""

from typing import cast

from runloop_api_client.lib.polling import PollingTimeout


def describe(error: Exception) -> str:
    """Render an error of the client in one line, with the server's message where there is one."""
    if isinstance(error, PollingTimeout):
        # Its text goes on with the last value that was received, which is long.
        return str(error).partition(". Last retrieved value")[0]
    body: object = getattr(error, "body", None)
    if isinstance(body, dict) and "message" in body:
        return str(cast("dict[str, object]", body)["message"])
    return str(error)
