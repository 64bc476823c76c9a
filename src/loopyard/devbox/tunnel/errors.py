"""Answers of the server itself to a request through a tunnel."""

from loopyard.kit.errors import LoopyardError


class BadGateway(LoopyardError):
    """Nothing listens there, or what listens does not speak HTTP."""

    status = 502
    code = "bad_gateway"


class NotRunning(LoopyardError):
    """The devbox does not run now, and is not to be woken."""

    status = 503
    code = "devbox_not_running"


class GatewayTimeout(LoopyardError):
    """The service in the devbox did not answer in time, or the devbox did not wake in time."""

    status = 504
    code = "gateway_timeout"
