"""SQL for calls of the gateway."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.devbox.models import Devbox
from loopyard.gateway_config.models import GatewayConfig
from loopyard.secret.models import Secret
from loopyard.upstream_proxy.models import UpstreamGrant, UpstreamToken

# Asked before every call: built once, and of columns alone, which costs a fraction of what five objects do.
_token, _grant = UpstreamToken.__table__.c, UpstreamGrant.__table__.c
_devbox, _config, _secret = Devbox.__table__.c, GatewayConfig.__table__.c, Secret.__table__.c
_CALL = (
    select(
        _devbox.id.label("devbox_id"),
        _devbox.account_id,
        _devbox.status,
        _devbox.launch_parameters,
        _devbox.initiator_type,
        _devbox.initiator_id,
        _grant.secret_id,
        _config.id.label("config_id"),
        _config.name,
        _config.endpoint,
        _config.auth_mechanism,
        _config.custom_headers,
        _secret.sealed,
        _secret.key_id,
    )
    .select_from(UpstreamToken.__table__)
    .join(UpstreamGrant.__table__, _grant.id == _token.grant_id)
    .join(Devbox.__table__, _devbox.id == _token.devbox_id)
    .outerjoin(GatewayConfig.__table__, _config.id == _grant.config_id)
    .outerjoin(Secret.__table__, and_(_secret.id == _grant.secret_id, _secret.account_id == _devbox.account_id))
    .where(_token.digest == bindparam("digest"), _token.kind == "gateway")
)


@dataclass(frozen=True, slots=True)
class CallRow:
    """Call that a token of the gateway allows. `config_id` and `sealed` are None where that was deleted."""

    devbox_id: str
    account_id: str
    status: str
    launch_parameters: dict[str, Any]
    initiator_type: str
    initiator_id: str | None
    secret_id: str
    config_id: str | None
    name: str
    endpoint: str
    auth_mechanism: dict[str, Any]
    custom_headers: list[dict[str, Any]]
    sealed: bytes | None
    key_id: str


async def of_token(session: AsyncSession, digest: str) -> CallRow | None:
    """The grant of the token with this digest; None if there is none."""
    row = (await session.execute(_CALL, {"digest": digest})).one_or_none()
    return None if row is None else CallRow(*row)
