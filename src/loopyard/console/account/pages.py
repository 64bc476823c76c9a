"""/console/account, /console/keys, /console/audit and /console/settings."""

import asyncio
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import Response

from loopyard.account import endpoints as accounts
from loopyard.account.config import Limits
from loopyard.account.limits import merged
from loopyard.audit.log import FOLDER, AuditLog
from loopyard.audit.reading import Filters, read
from loopyard.audit.record import time_text
from loopyard.auth.caller import MADE
from loopyard.config import Settings
from loopyard.console.family import Entry, Family
from loopyard.console.listing import ListQuery, next_path
from loopyard.console.page import Page, allowed
from loopyard.key import endpoints as api
from loopyard.key.service import KeyService
from loopyard.kit.clock import now_ms
from loopyard.kit.errors import Forbidden
from loopyard.kit.parts import part

router = APIRouter()

LIST = "GET /v1/apikeys"
MOST_RECORDS = 200
_DAY_MS = 86_400_000
KeyServiceDep = Annotated[KeyService, Depends(part(KeyService))]


@router.get("/account")
async def account(page: Annotated[Page, Depends(allowed("GET /v1/accounts/me"))]) -> Response:
    """The account, and what it may have."""
    async with page.database.read() as session:
        found = await accounts.me(page.caller, session)
    own = page.caller.limits
    limits = merged(page.parts.get(Settings).limits.model_dump(exclude_none=True), None if own is None else dict(own))
    words = {name: field.description for name, field in Limits.model_fields.items()}
    return page.render("account/account.html", account=found, limits=limits.model_dump(), words=words)


@router.get("/keys")
async def list_keys(page: Annotated[Page, Depends(allowed(LIST))], query: ListQuery) -> Response:
    """The account's keys."""
    return await _keys(page, query, made=None)


async def _keys(page: Page, query: Any, made: Any) -> Response:
    async with page.database.read() as session:
        found = await api.list_keys(page.caller, session, query)
    last = found.api_keys[-1].id if found.api_keys else None
    after = next_path(page.request, last, has_more=found.has_more)
    return page.render("account/keys.html", found=found, next=after, made=made)


@router.post("/keys")
async def create(
    page: Annotated[Page, Depends(allowed("POST /v1/apikeys"))],
    service: KeyServiceDep,
    query: ListQuery,
    name: Annotated[str, Form(max_length=1024)] = "",
) -> Response:
    """Make a standard key, and show its secret, this once."""
    async with page.database.write(last=True) as session:
        key, secret = await service.create(session, page.caller, name.strip() or None, None, None)
    page.request.scope[MADE] = key.id
    return await _keys(page, query, made=(key.id, secret))


@router.post("/keys/{id}/revoke")
async def revoke(
    id: str, page: Annotated[Page, Depends(allowed("DELETE /v1/apikeys/{}"))], service: KeyServiceDep
) -> Response:
    """Take a key back."""
    async with page.database.write() as session:
        revoked = await service.revoke(session, page.caller, id)
    return page.redirect("/console/keys", note=f"Revoked: {', '.join(revoked)}.")


@router.get("/audit")
async def audit(
    page: Annotated[Page, Depends(allowed(LIST))],
    operation: Annotated[str, Query(max_length=200)] = "",
    resource: Annotated[str, Query(max_length=64)] = "",
    outcome: Annotated[str, Query(max_length=20)] = "",
    days: Annotated[int, Query(ge=1, le=365)] = 1,
) -> Response:
    """Audit log of the account."""
    settings = page.parts.get(AuditLog).config
    filters = Filters(
        since=time_text(now_ms() - days * _DAY_MS),
        account=page.caller.account_id,
        operation=operation.strip() or None,
        resource=resource.strip() or None,
        outcome=outcome or None,
    )
    folder = page.parts.get(Settings).data_dir / FOLDER
    records: Sequence[Any] = await asyncio.to_thread(_newest, folder, filters) if settings.enabled else ()
    return page.render(
        "account/audit.html",
        records=records,
        enabled=settings.enabled,
        most=MOST_RECORDS,
        operation=operation,
        resource=resource,
        outcome=outcome,
        days=days,
    )


def _newest(folder: Any, filters: Filters) -> Sequence[Mapping[str, Any]]:
    names = ("time", "key", "operation", "path", "made", "source", "status", "outcome", "error")
    found = deque(read(folder, filters), maxlen=MOST_RECORDS)
    return [{name: record.get(name) for name in names} for record in reversed(found)]


@router.get("/settings")
async def settings(page: Annotated[Page, Depends(allowed(None))]) -> Response:
    """The settings that the server runs with, for keys of the server's own account that may do everything."""
    if not page.is_operator:
        raise Forbidden("The settings are shown to unrestricted keys of the server's own account only.")
    return page.render("account/settings.html", rows=list(_flat("", page.parts.get(Settings).model_dump(mode="json"))))


_SECRET = re.compile(r"secret|password|token|api_key|credential", re.IGNORECASE)
_IN_URL = re.compile(r"(?<=://)[^/@\s]*@")


def _flat(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Each setting: its name, the variable that sets it, and its value with what is secret left out."""
    for name, value in values.items():
        path = f"{prefix}{name}"
        if isinstance(value, dict) and value:
            yield from _flat(f"{path}.", cast("dict[str, Any]", value))
        else:
            yield path, f"LOOPYARD_{path.replace('.', '__').upper()}", _shown(path, value)


def _shown(path: str, value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, str) and _SECRET.search(path):
        return "(set, not shown)"
    return _IN_URL.sub("***@", str(value))


FAMILY = Family(
    router,
    navigation=[
        Entry("Account", "Keys", "/keys", LIST),
        Entry("Account", "Audit log", "/audit", LIST),
        Entry("Account", "Account and limits", "/account", "GET /v1/accounts/me"),
        Entry("Account", "Settings", "/settings", None, for_operator=True),
    ],
)
