"""The API of gateway configurations."""

from typing import Any

import pytest
from runloop_api_client import APIStatusError, BadRequestError, NotFoundError, PermissionDeniedError, Runloop

from tests.integration.gateway.conftest import MakeBox

_BEARER: Any = {"type": "bearer"}


def test_a_configuration_is_made_found_changed_and_deleted(client: Runloop) -> None:
    made = client.gateway_configs.create(
        name="My Model", endpoint="https://models.example.com/v1", auth_mechanism={"type": "header", "key": "X-Key"}
    )
    assert made.id.startswith("gwc_")
    assert (made.auth_mechanism.type, made.auth_mechanism.key, made.account_id is None) == ("header", "X-Key", False)
    assert client.gateway_configs.retrieve(made.id) == made
    for filters in ({"name": "mod"}, {"id": made.id}, {"search": made.id[:12]}, {"search": "MODEL"}):
        listed = client.gateway_configs.list(**filters)  # type: ignore[arg-type]
        assert made.id in {one.id for one in listed.gateway_configs}, filters
    assert client.gateway_configs.list(name="nobody").gateway_configs == []
    changed = client.gateway_configs.update(
        made.id, description="new", custom_headers=[{"name": "x", "value": "y"}], auth_mechanism=_BEARER
    )
    assert (changed.description, changed.auth_mechanism.key, changed.name) == ("new", None, "My Model")
    assert client.gateway_configs.update(made.id, custom_headers=[]).custom_headers == []
    assert client.gateway_configs.delete(made.id).id == made.id
    with pytest.raises(NotFoundError):
        client.gateway_configs.retrieve(made.id)


def test_the_servers_own_are_there_and_stay(client: Runloop) -> None:
    own = {one.name: one for one in client.gateway_configs.list(limit=5000).gateway_configs if one.account_id is None}
    assert set(own) == {"anthropic", "openai"}
    with pytest.raises(PermissionDeniedError):
        client.gateway_configs.update(own["openai"].id, description="mine")
    with pytest.raises(PermissionDeniedError):
        client.gateway_configs.delete(own["openai"].id)


def test_one_of_the_accounts_own_goes_before_the_servers(client: Runloop, make_box: MakeBox, secret: str) -> None:
    mine = client.gateway_configs.create(name="openai", endpoint="https://proxy.example.com", auth_mechanism=_BEARER)
    box = make_box(gateways={"OPENAI": {"gateway": "openai", "secret": secret}})
    specs = client.devboxes.retrieve(box.id).gateway_specs
    assert specs is not None
    assert specs["OPENAI"].gateway_config_id == mine.id
    with pytest.raises(BadRequestError, match="in use"):
        client.gateway_configs.delete(mine.id)
    client.devboxes.shutdown(box.id)
    client.gateway_configs.delete(mine.id)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        pytest.param({"endpoint": "ftp://example.com"}, "endpoint", id="another scheme"),
        pytest.param({"endpoint": "example.com"}, "endpoint", id="no scheme"),
        pytest.param({"endpoint": "https://user:pw@example.com"}, "endpoint", id="a password in it"),
        pytest.param({"endpoint": "https://example.com/?a=b"}, "endpoint", id="a query"),
        pytest.param({"endpoint": "https://169.254.169.254/latest"}, "endpoint", id="metadata"),
        pytest.param({"endpoint": "https://[fd00:ec2::254]/"}, "endpoint", id="metadata by IPv6"),
        pytest.param({"endpoint": "https://[::ffff:10.0.0.1]/"}, "endpoint", id="a mapped private address"),
        pytest.param({"endpoint": "https://10.1.2.3/"}, "endpoint", id="a private network"),
        pytest.param({"endpoint": "https://0.0.0.0/"}, "endpoint", id="no host"),
        pytest.param({"endpoint": "http://93.184.216.34/"}, "endpoint", id="clear text"),
        pytest.param({"auth_mechanism": {"type": "header"}}, "auth_mechanism", id="a header without a name"),
        pytest.param({"auth_mechanism": {"type": "bearer", "key": "x"}}, "auth_mechanism", id="a name too many"),
        pytest.param({"auth_mechanism": {"type": "header", "key": "a b"}}, "auth_mechanism.key", id="no header name"),
        pytest.param({"auth_mechanism": {"type": "header", "key": "Host"}}, "auth_mechanism.key", id="not its to set"),
        pytest.param({"custom_headers": [{"name": "a"}]}, "custom_headers.0", id="neither secret nor value"),
        pytest.param({"custom_headers": [{"name": "a", "value": "b\nc"}]}, "custom_headers.0.value", id="two lines"),
        pytest.param({"custom_headers": [{"name": "a", "secret": "none"}]}, "custom_headers.0.secret", id="no secret"),
        pytest.param(
            {"custom_headers": [{"name": f"a{n}", "value": "b"} for n in range(9)]}, "custom_headers", id="nine headers"
        ),
        pytest.param({"name": " "}, "name", id="no name"),
    ],
)
def test_what_cannot_be_is_refused(client: Runloop, fields: dict[str, Any], field: str) -> None:
    good: dict[str, Any] = {"name": "refused", "endpoint": "https://example.com", "auth_mechanism": _BEARER}
    with pytest.raises(APIStatusError) as refused:
        client.gateway_configs.create(**{**good, **fields})
    assert refused.value.status_code == 400
    body: Any = refused.value.body
    assert body["field"] == field


def test_a_name_is_taken_once(client: Runloop) -> None:
    client.gateway_configs.create(name="taken", endpoint="https://example.com", auth_mechanism=_BEARER)
    with pytest.raises(BadRequestError, match="taken"):
        client.gateway_configs.create(name="taken", endpoint="https://example.com", auth_mechanism=_BEARER)
