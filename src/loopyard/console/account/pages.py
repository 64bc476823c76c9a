"""/console/account, /console/keys, /console/audit and /console/settings."""

import asyncio
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import Response
from pydantic import ValidationError

from loopyard.account import endpoints as accounts
from loopyard.account.config import Limits
from loopyard.account.limits import merged
from loopyard.audit.log import FOLDER, AuditLog
from loopyard.audit.reading import Filters, read
from loopyard.audit.record import time_text
from loopyard.auth.caller import MADE
from loopyard.console.family import Entry, Family
from loopyard.console.listing import ListQuery, next_path
from loopyard.console.page import Page, allowed
from loopyard.console.settings import ServerSettings
from loopyard.identity.scopes import Level, Resource
from loopyard.key import endpoints as api
from loopyard.key.schemas import ApikeyCreateParams, RestrictedKeyCreateParams
from loopyard.key.service import KeyService
from loopyard.kit.clock import now_ms
from loopyard.kit.errors import BadRequest, Forbidden
from loopyard.kit.http.error_handlers import explain
from loopyard.kit.http.parts import part

router = APIRouter()

LIST = "GET /v1/apikeys"
MOST_RECORDS = 200
MOST_DAYS = 3650
_DAY_MS = 86_400_000
KeyServiceDep = Annotated[KeyService, Depends(part(KeyService))]


@router.get("/account")
async def account(page: Annotated[Page, Depends(allowed("GET /v1/accounts/me"))]) -> Response:
    """The account, and what it may have."""
    async with page.database.read() as session:
        found = await accounts.me(page.caller, session)
    own = page.caller.limits
    limits = merged(
        page.parts.get(ServerSettings).limits.model_dump(exclude_none=True), None if own is None else dict(own)
    )
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
    return page.render("account/keys.html", found=found, next=after, made=made, offered=_offered(page))


def _offered(page: Page) -> Mapping[str, Sequence[str]]:
    """The levels on each kind of resource that the caller can give to a key: none that they lack."""
    own = page.caller.scopes
    return {kind.value: [level.wire for level in Level if own is None or level <= own.level(kind)] for kind in Resource}


@router.post("/keys")
async def create(
    page: Annotated[Page, Depends(allowed("POST /v1/apikeys"))],
    service: KeyServiceDep,
    query: ListQuery,
    name: Annotated[str, Form()] = "",
    days: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Make a standard key, and show its secret, this once."""
    given = {"name": name.strip() or None, "expires_at_ms": _end(days)}
    try:
        params = ApikeyCreateParams.model_validate(given)
    except ValidationError as error:
        raise explain(error.errors()) from None
    async with page.database.write(last=True) as session:
        made = await api.create(page.caller, session, service, params)
    page.request.scope[MADE] = made.id
    return await _keys(page, query, made=(made.id, made.key_secret))


@router.post("/keys/restricted")
async def create_restricted(
    page: Annotated[Page, Depends(allowed("POST /v1/restricted_keys"))],
    service: KeyServiceDep,
    query: ListQuery,
    name: Annotated[str, Form()] = "",
    days: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Make a key that may do what its scopes say, and show its secret, this once."""
    form = await page.request.form()
    scopes = [{"resource_type": kind.value, "access_level": form[kind.value]} for kind in Resource if kind in form]
    given = {"name": name.strip() or None, "expires_at_ms": _end(days), "scopes": scopes}
    try:
        params = RestrictedKeyCreateParams.model_validate(given)
    except ValidationError as error:
        raise explain(error.errors()) from None
    async with page.database.write(last=True) as session:
        made = await api.create_restricted(page.caller, session, service, params)
    page.request.scope[MADE] = made.id
    return await _keys(page, query, made=(made.id, made.key_secret))


def _end(days: str) -> int | None:
    """When a key ends that is to last so many days; None for never."""
    if not days.strip():
        return None
    if not days.strip().isdecimal() or not 1 <= int(days) <= MOST_DAYS:
        raise BadRequest(
            f"days: give a number from 1 to {MOST_DAYS}, or nothing for a key that never ends.", field="days"
        )
    return now_ms() + int(days) * _DAY_MS


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
    folder = page.parts.get(ServerSettings).data_dir / FOLDER
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
    return page.render(
        "account/settings.html", rows=list(_flat("", page.parts.get(ServerSettings).model_dump(mode="json")))
    )


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
