"""The feature that says which program the proxy process is."""

from loopyard import gateway_process
from loopyard.feature import Feature, Server
from loopyard.upstream_proxy.process import ProxyProgram


def build(server: Server, _: object) -> Feature:
    """Offer this package's program to the gateway."""
    server.offer(ProxyProgram, ProxyProgram(gateway_process.__name__))
    return Feature()
