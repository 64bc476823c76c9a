"""Decides what devboxes may call upstream, and gives them tokens for it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import Database, after_commit
from loopyard.kit.errors import BadRequest
from loopyard.kit.ids import new_id
from loopyard.network_policy.models import NetworkPolicy
from loopyard.runtime.host_gateway import HasHostGateway
from loopyard.runtime.protocol import Runtime
from loopyard.upstream_proxy.admission import refused_by
from loopyard.upstream_proxy.models import UpstreamGrant, UpstreamToken
from loopyard.upstream_proxy.process import ProxyProcess
from loopyard.upstream_proxy.repository import UpstreamGrantRepository
from loopyard.upstream_proxy.tokens import Kind, digest, new_token

MCP_URL, MCP_TOKEN = "RL_MCP_URL", "RL_MCP_TOKEN"
MCP_PATH = "/mcp"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A configuration and a secret that a devbox is to call with. `variable` names the devbox's variables."""

    kind: Kind
    variable: str | None
    config_id: str
    secret_id: str


class Grants:
    def __init__(self, database: Database, runtime: Runtime, process: ProxyProcess) -> None:
        self._database = database
        self._runtime = runtime
        self._process = process

    def check_offered(self, field: str) -> None:
        """See that devboxes of this server can reach the gateway at all.

        Raises:
            BadRequest: They cannot; the error names `field`.
        """
        if not isinstance(self._runtime, HasHostGateway):
            message = (
                f"{field}: the {self._runtime.name} provider of this server cannot tell which devbox a connection "
                "comes from, so it has no gateway. The crun provider has one."
            )
            raise BadRequest(message, field=field)

    def url(self, kind: Kind) -> str:
        """Where devboxes call."""
        assert isinstance(self._runtime, HasHostGateway)  # noqa: S101
        base = self._runtime.gateway_address.url
        return base + MCP_PATH if kind == "mcp" else base

    async def give(self, session: AsyncSession, account_id: str, devbox_id: str, wanted: Sequence[Wanted]) -> None:
        """Write down what a devbox of the account may call as long as it lives. The caller sets `has_grants` of its
        row."""
        await UpstreamGrantRepository(session).create_all(_grant(account_id, devbox_id, one) for one in wanted)
        if wanted:
            after_commit(session, self._process.need)

    async def mint(self, session: AsyncSession, account_id: str, devbox_id: str, wanted: Wanted) -> str:
        """A token for one more thing that a running devbox of the account may call. The caller has locked its row, and
        sets `has_grants`."""
        grants = UpstreamGrantRepository(session)
        grant = await grants.create(_grant(account_id, devbox_id, wanted))
        token, row = _token(devbox_id, wanted.kind, grant.id)
        await grants.create_tokens([row])
        after_commit(session, self._process.need)
        return token

    async def variables(self, devbox_id: str) -> dict[str, str]:
        """The variables of a devbox with grants that comes up, with new tokens. Those that it was given before stay
        valid."""
        variables = dict[str, str]()
        tokens = list[UpstreamToken]()

        def token(kind: Kind, grant_id: str | None) -> str:
            value, row = _token(devbox_id, kind, grant_id)
            tokens.append(row)
            return value

        async with self._database.write() as session:
            repository = UpstreamGrantRepository(session)
            grants = await repository.list_of_devbox(devbox_id)
            for grant in grants:
                variable = grant.variable or ""
                kind: Kind = "mcp" if grant.kind == "mcp" else "gateway"
                variables[variable] = token(kind, grant.id)
                if kind == "gateway":
                    variables[f"{variable}_URL"] = self.url(kind)
            if any(grant.kind == "mcp" for grant in grants):
                variables[MCP_URL] = self.url("mcp")
                variables.setdefault(MCP_TOKEN, token("mcp", None))
            await repository.create_tokens(tokens)
        return variables

    async def end(self, session: AsyncSession, devbox_id: str) -> None:
        """Let nothing be called for a devbox any more."""
        if await UpstreamGrantRepository(session).delete_of_devbox(devbox_id):
            after_commit(session, lambda: self._process.drop_soon(devbox_id))

    async def end_refused(self, devbox_ids: Sequence[str], policy: NetworkPolicy | None) -> None:
        """End the open calls that a changed policy does not allow any more. New ones are refused by admission."""
        if kinds := refused_by(policy):
            await asyncio.gather(*(self._process.drop(devbox_id, kinds) for devbox_id in devbox_ids))

    async def reconcile(self) -> None:
        """At start: have the proxy run if any devbox may call anything."""
        async with self._database.read() as session:
            wanted = await UpstreamGrantRepository(session).has_any()
        if wanted:
            self._process.need()


def _grant(account_id: str, devbox_id: str, wanted: Wanted) -> UpstreamGrant:
    return UpstreamGrant(
        id=new_id("upg"),
        account_id=account_id,
        devbox_id=devbox_id,
        kind=wanted.kind,
        variable=wanted.variable,
        config_id=wanted.config_id,
        secret_id=wanted.secret_id,
        create_time_ms=now_ms(),
    )


def _token(devbox_id: str, kind: Kind, grant_id: str | None) -> tuple[str, UpstreamToken]:
    token = new_token(kind)
    row = UpstreamToken(
        digest=digest(token), devbox_id=devbox_id, kind=kind, grant_id=grant_id, create_time_ms=now_ms()
    )
    return token, row
