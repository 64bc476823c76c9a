"""The API of MCP configurations."""

from typing import Any

import pytest
from runloop_api_client import APIStatusError, BadRequestError, NotFoundError, Runloop


def test_a_configuration_is_made_found_changed_and_deleted(client: Runloop) -> None:
    made = client.mcp_configs.create(
        name="git-read", endpoint="https://mcp.example.com/mcp", allowed_tools=["git.get_*"]
    )
    assert made.id.startswith("mcp_")
    assert made.auth_mechanism.type == "bearer"
    assert client.mcp_configs.retrieve(made.id) == made
    for filters in ({"name": "GIT"}, {"id": made.id}, {"search": "read"}):
        assert made.id in {one.id for one in client.mcp_configs.list(**filters).mcp_configs}, filters  # type: ignore[arg-type]
    assert client.mcp_configs.list(name="read").mcp_configs == []
    changed = client.mcp_configs.update(made.id, allowed_tools=["*"], description="all")
    assert (changed.allowed_tools, changed.description, changed.endpoint) == (["*"], "all", made.endpoint)
    with pytest.raises(BadRequestError, match="git-read"):
        client.mcp_configs.create(name="git-read", endpoint="https://example.com", allowed_tools=["*"])
    assert client.mcp_configs.delete(made.id).id == made.id
    with pytest.raises(NotFoundError):
        client.mcp_configs.retrieve(made.id)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        pytest.param({"allowed_tools": []}, "allowed_tools", id="no tools"),
        pytest.param({"allowed_tools": [" "]}, "allowed_tools.0", id="a blank pattern"),
        pytest.param({"endpoint": "https://169.254.169.254/mcp"}, "endpoint", id="metadata"),
        pytest.param({"name": "two words-x"}, "name", id="a service with a space"),
        pytest.param({"name": "-x"}, "name", id="no service"),
        pytest.param({"auth_mechanism": {"type": "header"}}, "auth_mechanism", id="a header without a name"),
    ],
)
def test_what_cannot_be_is_refused(client: Runloop, fields: dict[str, Any], field: str) -> None:
    good: dict[str, Any] = {"name": "refused", "endpoint": "https://example.com", "allowed_tools": ["*"]}
    with pytest.raises(APIStatusError) as refused:
        client.mcp_configs.create(**{**good, **fields})
    assert refused.value.status_code == 400
    body: Any = refused.value.body
    assert body["field"] == field


def test_a_configuration_in_use_stays(client: Runloop) -> None:
    made = client.mcp_configs.create(name="used", endpoint="https://example.com", allowed_tools=["*"])
    mcp: Any = {"USED": {"mcp_config": "used", "secret": "MCP_KEY"}}
    devbox = client.devboxes.create(mcp=mcp)
    with pytest.raises(BadRequestError, match="in use"):
        client.mcp_configs.delete(made.id)
    client.devboxes.shutdown(devbox.id)
    client.mcp_configs.delete(made.id)
    with pytest.raises(NotFoundError):
        client.devboxes.create(mcp=mcp)
