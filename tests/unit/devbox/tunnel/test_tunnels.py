"""On the fake runtime: enable_tunnel, remove_tunnel, and `tunnel` at create: what the API says of them."""

from tests.integration.devbox.tunnel.test_tunnels import *  # noqa: F403
