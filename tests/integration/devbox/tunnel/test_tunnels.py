"""enable_tunnel, remove_tunnel, and `tunnel` at create: what the API says of them."""

import pytest
from runloop_api_client import APIStatusError, NotFoundError, Runloop
from runloop_api_client.sdk import RunloopSDK

from tests.serving import ServerProcess


@pytest.mark.semantic
def test_a_devbox_gets_one_tunnel_and_shows_it_until_it_is_removed(module_client: Runloop, devbox_id: str) -> None:
    client = module_client
    assert client.devboxes.retrieve(devbox_id).tunnel is None
    tunnel = client.devboxes.enable_tunnel(devbox_id)
    assert (tunnel.auth_mode, tunnel.http_keep_alive, tunnel.wake_on_http) == ("open", True, False)
    assert tunnel.auth_token is None
    assert client.devboxes.retrieve(devbox_id).tunnel == tunnel
    assert client.devboxes.enable_tunnel(devbox_id, auth_mode="open") == tunnel, "the same call again changes nothing"
    client.devboxes.remove_tunnel(devbox_id)
    assert client.devboxes.retrieve(devbox_id).tunnel is None
    client.devboxes.remove_tunnel(devbox_id)
    other = client.devboxes.enable_tunnel(devbox_id)
    assert other.tunnel_key != tunnel.tunnel_key
    client.devboxes.remove_tunnel(devbox_id)


@pytest.mark.semantic
def test_a_tunnel_with_other_settings_must_be_removed_first(module_client: Runloop, devbox_id: str) -> None:
    tunnel = module_client.devboxes.enable_tunnel(devbox_id, auth_mode="authenticated", http_keep_alive=False)
    assert tunnel.auth_token
    with pytest.raises(APIStatusError) as refused:
        module_client.devboxes.enable_tunnel(devbox_id, auth_mode="open")
    assert refused.value.status_code == 409
    assert refused.value.response.headers["x-should-retry"] == "false"
    assert module_client.devboxes.retrieve(devbox_id).tunnel == tunnel
    module_client.devboxes.remove_tunnel(devbox_id)


@pytest.mark.semantic
def test_a_tunnel_can_be_asked_for_at_create(client: Runloop) -> None:
    devbox = client.devboxes.create(tunnel={"auth_mode": "authenticated", "wake_on_http": True})
    assert devbox.tunnel is not None
    assert devbox.tunnel.auth_mode == "authenticated"
    assert devbox.tunnel.auth_token
    assert devbox.tunnel.wake_on_http
    assert devbox.tunnel.create_time_ms >= devbox.create_time_ms
    client.devboxes.shutdown(devbox.id)


def test_the_official_sdk_builds_names_that_are_valid_labels(server: ServerProcess, devbox_id: str) -> None:
    sdk = RunloopSDK(bearer_token=server.api_key, base_url=server.base_url)
    devbox = sdk.devbox.from_id(devbox_id)
    devbox.net.enable_tunnel()
    url = devbox.get_tunnel_url(65535)
    assert url is not None
    label, _, rest = url.removeprefix("https://").partition(".")
    assert len(label) <= 63
    assert rest == "tunnel.127.0.0.1"
    devbox.net.remove_tunnel()


@pytest.mark.semantic
def test_errors_of_callers(module_client: Runloop, client: Runloop, devbox_id: str) -> None:
    with pytest.raises(NotFoundError):
        client.devboxes.enable_tunnel("dbx_none")
    with pytest.raises(NotFoundError):
        client.devboxes.remove_tunnel("dbx_none")
    with pytest.raises(APIStatusError) as refused:
        client.devboxes.enable_tunnel(devbox_id, auth_mode="secret")  # type: ignore[arg-type]
    assert refused.value.status_code == 400
    assert refused.value.body["field"] == "auth_mode"  # type: ignore[index, call-overload]
    ended = client.devboxes.create()
    client.devboxes.shutdown(ended.id)
    with pytest.raises(APIStatusError) as refused:
        client.devboxes.enable_tunnel(ended.id)
    assert refused.value.status_code == 409
