"""Answers the proxy's process about calls of the MCP hub, in the server's process, where the database is."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.devbox.lifecycle.states import FINAL
from loopyard.devbox.models import Devbox
from loopyard.devbox.repository import DevboxRepository
from loopyard.kit.db.database import Database
from loopyard.kit.errors import LoopyardError
from loopyard.mcp_config.naming import service_of
from loopyard.mcp_config.repository import McpConfigRepository
from loopyard.secret.service import SecretService
from loopyard.upstream_proxy import tokens
from loopyard.upstream_proxy.admission import UNKNOWN_TOKEN, Admission, CallRefused
from loopyard.upstream_proxy.channel import Message
from loopyard.upstream_proxy.mechanism import CredentialUnfit, credential_headers, secret_ids
from loopyard.upstream_proxy.models import UpstreamGrant
from loopyard.upstream_proxy.repository import UpstreamGrantRepository


class McpAdmission:
    def __init__(self, database: Database, admission: Admission, secrets: SecretService) -> None:
        self._database = database
        self._admission = admission
        self._secrets = secrets

    async def answer(self, asked: Message) -> Message:
        """The MCP servers that a token stands for, with what is put on calls to them, or why the call is refused."""
        try:
            async with self._database.read() as session:
                devbox, granted = await self._admit(session, asked["token"], asked["source"])
                servers = [await self._server(session, devbox.account_id, grant) for grant in granted]
        except CallRefused as refusal:
            return refusal.told()
        except LoopyardError as error:
            return CallRefused(error.status, error.code, error.message).told()
        return {"devbox_id": devbox.id, "account_id": devbox.account_id, "servers": servers}

    async def _admit(self, session: AsyncSession, token: str, source: str) -> tuple[Devbox, Sequence[UpstreamGrant]]:
        """The devbox whose call it is, and what its token stands for.

        Raises:
            CallRefused.
        """
        row, granted = await UpstreamGrantRepository(session).get_by_token(tokens.digest(token), "mcp")
        devbox = None if row is None else await DevboxRepository(session).get_by_id(row.devbox_id)
        if devbox is None or not granted:
            raise CallRefused(401, "unauthorized", UNKNOWN_TOKEN)
        self._admission.check_source(devbox.id, source, ended=devbox.status in FINAL)
        await self._admission.check_policy(session, devbox.launch_parameters, "mcp")
        return devbox, granted

    async def _server(self, session: AsyncSession, account_id: str, grant: UpstreamGrant) -> Message:
        config = await McpConfigRepository(session).get_by_id(grant.config_id)
        if config is None:
            raise CallRefused(403, "config_missing", "The MCP configuration of this token was deleted.")
        wanted = [grant.secret_id, *secret_ids(config.custom_headers)]
        values = await self._secrets.values_by_id(session, account_id, wanted)
        if missing := [secret_id for secret_id in wanted if secret_id not in values]:
            message = f"The secret {missing[0]} that {config.name} needs was deleted; make a token with another."
            raise CallRefused(403, "secret_missing", message)
        try:
            headers = credential_headers(config.auth_mechanism, config.custom_headers, values[grant.secret_id], values)
        except CredentialUnfit as error:
            raise CallRefused(403, "secret_unfit", str(error)) from error
        return {
            "id": grant.id,
            "name": config.name,
            "service": service_of(config.name),
            "endpoint": config.endpoint,
            "allowed_tools": config.allowed_tools,
            "set": headers,
        }
