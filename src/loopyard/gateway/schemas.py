"""The wire's words for tokens of the gateway."""

from loopyard.kit.http.wire import Params, Text, View
from loopyard.upstream_proxy.mechanism import AuthMechanismView


class GatewayTokenParams(Params):
    gateway: Text
    secret: Text


class GatewayTokenView(View):
    token: str
    auth_mechanism: AuthMechanismView
    devbox_id: str
    endpoint: str
    gateway_config_id: str
    url: str
