"""The kinds of resources: each by the functions of its endpoints."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.agent import endpoints as agents
from loopyard.agent.repository import AgentFilters
from loopyard.console.family import Family
from loopyard.console.page import Page
from loopyard.console.resources import policy_form, secret_form
from loopyard.console.resources.kind import Column, Found, Kind, curl, family
from loopyard.gateway_config import endpoints as gateways
from loopyard.kit.db.named_repository import NameFilters
from loopyard.kit.lists.paging import PageQuery
from loopyard.mcp_config import endpoints as mcp
from loopyard.network_policy import endpoints as policies
from loopyard.network_policy.enforcement import Enforcement
from loopyard.secret import endpoints as secrets
from loopyard.secret.service import SecretService
from loopyard.snapshot import endpoints as snapshots
from loopyard.snapshot.schemas import SnapshotView
from loopyard.snapshot.service import SnapshotService

_ID, _NAME, _CREATED = Column("Id", "id", "id"), Column("Name", "name"), Column("Created", "create_time_ms", "time")


async def _snapshots(page: Page, session: AsyncSession, query: PageQuery, _: str | None) -> Found:
    found = await snapshots.list_disk_snapshots(page.caller, session, query, (), None, None)
    return Found(found.snapshots, found.has_more, found.total_count)


async def _snapshot(page: Page, session: AsyncSession, id: str) -> BaseModel:
    found = await page.parts.get(SnapshotService).get(session, page.caller.account_id, id)
    return SnapshotView.model_validate(found)


async def _delete_snapshot(page: Page, session: AsyncSession, id: str) -> Any:
    await snapshots.delete(id, page.caller, session, page.parts.get(SnapshotService))


async def _policies(page: Page, session: AsyncSession, query: PageQuery, q: str | None) -> Found:
    found = await policies.list_policies(page.caller, session, query, NameFilters(search=q))
    return Found(found.network_policies, found.has_more, found.total_count)


async def _policy(page: Page, session: AsyncSession, id: str) -> BaseModel:
    return await policies.retrieve(id, page.caller, session)


async def _delete_policy(page: Page, session: AsyncSession, id: str) -> Any:
    await policies.delete(id, page.caller, session, page.parts.get(Enforcement))


async def _agents(page: Page, session: AsyncSession, query: PageQuery, q: str | None) -> Found:
    found = await agents.list_agents(page.caller, session, query, AgentFilters(search=q))
    return Found(found.agents, found.has_more, found.total_count)


async def _agent(page: Page, session: AsyncSession, id: str) -> BaseModel:
    return await agents.retrieve(id, page.caller, session)


async def _delete_agent(page: Page, session: AsyncSession, id: str) -> Any:
    await agents.delete(id, page.caller, session)


async def _gateways(page: Page, session: AsyncSession, query: PageQuery, q: str | None) -> Found:
    found = await gateways.list_configs(page.caller, session, query, NameFilters(search=q))
    return Found(found.gateway_configs, found.has_more, found.total_count)


async def _gateway(page: Page, session: AsyncSession, id: str) -> BaseModel:
    return await gateways.retrieve(id, page.caller, session)


async def _delete_gateway(page: Page, session: AsyncSession, id: str) -> Any:
    await gateways.delete(id, page.caller, session)


async def _mcp_configs(page: Page, session: AsyncSession, query: PageQuery, q: str | None) -> Found:
    found = await mcp.list_configs(page.caller, session, query, NameFilters(search=q))
    return Found(found.mcp_configs, found.has_more, found.total_count)


async def _mcp_config(page: Page, session: AsyncSession, id: str) -> BaseModel:
    return await mcp.retrieve(id, page.caller, session)


async def _delete_mcp_config(page: Page, session: AsyncSession, id: str) -> Any:
    await mcp.delete(id, page.caller, session)


async def _secrets(page: Page, session: AsyncSession, _query: PageQuery, _: str | None) -> Found:
    found = await secrets.list_secrets(page.caller, session, 5000)
    return Found(found.secrets, has_more=False, total_count=found.total_count)


async def _secret(page: Page, session: AsyncSession, id: str) -> BaseModel:
    return await secrets.retrieve_by_id(id, page.caller, session, page.parts.get(SecretService))


async def _delete_secret(page: Page, session: AsyncSession, id: str) -> Any:
    await secrets.delete_by_id(id, page.caller, session, page.parts.get(SecretService))


_KINDS: Sequence[Kind] = (
    Kind(
        group="Sandboxes",
        title="Snapshots",
        one="snapshot",
        path="/snapshots",
        prefix="snp",
        columns=(
            _ID,
            _NAME,
            Column("Of", "source_devbox_id", "id"),
            Column("Size", "size_bytes", "size"),
            Column("Message", "commit_message"),
            _CREATED,
        ),
        list=_snapshots,
        list_operation="GET /v1/devboxes/disk_snapshots",
        read=_snapshot,
        read_operation="GET /v1/devboxes/disk_snapshots/{}/status",
        command=curl("devboxes/DEVBOX/snapshot_disk", "{}"),
        delete=_delete_snapshot,
        delete_operation="POST /v1/devboxes/disk_snapshots/{}/delete",
        delete_question="Delete this snapshot? Devboxes that were made from it keep all they have.",
        searches=False,
    ),
    Kind(
        group="Sandboxes",
        title="Network policies",
        one="network policy",
        path="/network-policies",
        prefix="npo",
        columns=(_ID, _NAME, Column("Description", "description"), _CREATED),
        list=_policies,
        list_operation="GET /v1/network-policies",
        read=_policy,
        read_operation="GET /v1/network-policies/{}",
        command=curl("network-policies", '{"name": "only-pypi", "allowed_hostnames": ["pypi.example"]}'),
        delete=_delete_policy,
        delete_operation="POST /v1/network-policies/{}/delete",
        delete_question="Delete this network policy?",
        create_form="resources/_create_policy.html",
        create_operation="POST /v1/network-policies",
        template="resources/policy.html",
        more=policy_form.texts_of,
    ),
    Kind(
        group="Agents",
        title="Agents",
        one="agent",
        path="/agents",
        prefix="agt",
        columns=(_ID, _NAME, Column("Version", "version"), Column("Public", "is_public"), _CREATED),
        list=_agents,
        list_operation="GET /v1/agents",
        read=_agent,
        read_operation="GET /v1/agents/{}",
        command=curl("agents", '{"name": "mine", "source": {"type": "npm", "npm": {"package_name": "my-agent"}}}'),
        delete=_delete_agent,
        delete_operation="POST /v1/agents/{}/delete",
        delete_question="Delete this agent? Devboxes that have it keep it.",
    ),
    Kind(
        group="Agents",
        title="Gateways",
        one="gateway",
        path="/gateways",
        prefix="gwc",
        columns=(_ID, _NAME, Column("Upstream", "endpoint"), Column("Description", "description"), _CREATED),
        list=_gateways,
        list_operation="GET /v1/gateway-configs",
        read=_gateway,
        read_operation="GET /v1/gateway-configs/{}",
        command=curl(
            "gateway-configs",
            '{"name": "mine", "endpoint": "https://models.example", "auth_mechanism": {"type": "bearer"}}',
        ),
        delete=_delete_gateway,
        delete_operation="POST /v1/gateway-configs/{}/delete",
        delete_question="Delete this gateway?",
    ),
    Kind(
        group="Agents",
        title="MCP servers",
        one="MCP server",
        path="/mcp",
        prefix="mcp",
        columns=(_ID, _NAME, Column("Server", "endpoint"), Column("Tools", "allowed_tools"), _CREATED),
        list=_mcp_configs,
        list_operation="GET /v1/mcp-configs",
        read=_mcp_config,
        read_operation="GET /v1/mcp-configs/{}",
        command=curl("mcp-configs", '{"name": "mine", "endpoint": "https://mcp.example", "allowed_tools": ["*"]}'),
        delete=_delete_mcp_config,
        delete_operation="POST /v1/mcp-configs/{}/delete",
        delete_question="Delete this MCP server?",
    ),
    Kind(
        group="Account",
        title="Secrets",
        one="secret",
        path="/secrets",
        prefix="sec",
        columns=(_ID, _NAME, _CREATED, Column("Changed", "update_time_ms", "time")),
        list=_secrets,
        list_operation="GET /v1/secrets",
        read=_secret,
        read_operation="GET /v1/secrets/id/{}",
        command=curl("secrets", '{"name": "TOKEN", "value": "..."}'),
        delete=_delete_secret,
        delete_operation="POST /v1/secrets/id/{}/delete",
        delete_question="Delete this secret? Devboxes that run keep its value.",
        create_form="resources/_create_secret.html",
        create_operation="POST /v1/secrets",
        template="resources/secret.html",
        searches=False,
    ),
)

_MORE = {"/network-policies": policy_form.router, "/secrets": secret_form.router}

FAMILIES: Sequence[Family] = tuple(family(kind, _MORE.get(kind.path)) for kind in _KINDS)
