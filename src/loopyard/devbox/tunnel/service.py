"""Decides about the tunnels of devboxes."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.auth.acting import acting_key
from loopyard.devbox.lifecycle.states import FINAL
from loopyard.devbox.models import Devbox
from loopyard.devbox.repository import DevboxRepository
from loopyard.devbox.schemas import TunnelParams, TunnelView
from loopyard.devbox.tunnel.address import new_key
from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import after_commit
from loopyard.kit.errors import WrongState

_TOKEN_BYTES = 32


def give(devbox: Devbox, params: TunnelParams) -> None:
    """Give a devbox a tunnel of its own, in place of what it had."""
    wanted = _wanted(params)
    key = new_key("http")
    token = secrets.token_urlsafe(_TOKEN_BYTES) if wanted["auth_mode"] == "authenticated" else None
    view = TunnelView(create_time_ms=now_ms(), tunnel_key=key, auth_token=token, **wanted)
    devbox.tunnel, devbox.tunnel_key = view.model_dump(mode="json", exclude_none=True), key
    devbox.tunnel_made_by = acting_key()


def _wanted(params: TunnelParams) -> dict[str, Any]:
    return {
        "auth_mode": params.auth_mode or "open",
        "http_keep_alive": True if params.http_keep_alive is None else params.http_keep_alive,
        "wake_on_http": bool(params.wake_on_http),
    }


class TunnelService:
    """`removed` is called with the key of a tunnel once its removal is committed. `is_good` tells whether the API key
    that a tunnel was made with is good still."""

    def __init__(self, removed: Callable[[str], None], is_good: Callable[[str | None], Awaitable[bool]]) -> None:
        self._removed = removed
        self._is_good = is_good

    async def enable(self, session: AsyncSession, account_id: str, devbox_id: str, params: TunnelParams) -> TunnelView:
        """The devbox's tunnel, made if it has none. A repeat of the same call answers with the same tunnel.
        One whose API key has ended is replaced.

        Raises:
            NotFound: The account has no such devbox.
            WrongState: It has ended, or has a tunnel with other settings.
        """
        devbox = await DevboxRepository(session).get_one_owned_for_update(devbox_id, account_id)
        if devbox.status in FINAL:
            raise WrongState(f"Devbox {devbox_id} is {devbox.status}.")
        if devbox.tunnel is None or not await self._is_good(devbox.tunnel_made_by):
            give(devbox, params)
        tunnel = TunnelView.model_validate(devbox.tunnel)
        if any(getattr(tunnel, name) != value for name, value in _wanted(params).items()):
            raise WrongState(f"Devbox {devbox_id} has a tunnel with other settings already; remove that first.")
        return tunnel

    async def remove(self, session: AsyncSession, account_id: str, devbox_id: str) -> None:
        """Take the devbox's tunnel away, with all connections that go through it; nothing if it has none.

        Raises:
            NotFound: The account has no such devbox.
        """
        devbox = await DevboxRepository(session).get_one_owned_for_update(devbox_id, account_id)
        if (key := devbox.tunnel_key) is not None:
            devbox.tunnel = devbox.tunnel_key = devbox.tunnel_made_by = None
            after_commit(session, lambda: self._removed(key))
