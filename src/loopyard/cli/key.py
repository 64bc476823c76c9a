"""`loopyard key`: API keys, made and taken back on the server's own machine."""

import json
import re
import time
from typing import TYPE_CHECKING, Annotated

import typer

from loopyard.cli.operator import DatabaseUrl, DataDir, change, note

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.ext.asyncio import AsyncSession

    from loopyard.identity.scopes import Scopes

app = typer.Typer(name="key", help="API keys.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print lines of JSON.")]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_MOST_SECONDS = 100 * 366 * 86_400


@app.callback()
def key() -> None:
    """API keys."""


@app.command("create")
def create(
    name: Annotated[str | None, typer.Option(help="What the key is called in lists.")] = None,
    account: Annotated[str | None, typer.Option(help="The account; the first one, if none is named.")] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="A right of a restricted key, such as devboxes=write or objects=read; once for each kind. "
            "Kinds: devboxes, blueprints, snapshots, benchmarks, scenarios, agents, objects, account. "
            "Without any, the key may do everything."
        ),
    ] = None,
    expires_in: Annotated[str | None, typer.Option(help="When it ends, from now: 30d, 12h, 45m.")] = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Make a key. Prints it; it is kept nowhere, and cannot be shown again. Works whether the server runs or not."""
    from loopyard.account.repository import AccountRepository
    from loopyard.key.service import make

    scopes = None if not scope else _scopes(scope)
    expires = None if expires_in is None else int(time.time() * 1000) + _seconds(expires_in) * 1000
    made: list[tuple[str, str, str]] = []

    async def act(session: "AsyncSession") -> None:
        owner = await AccountRepository(session).get_one_or_first(account)
        row, secret = await make(session, owner.id, name, expires, scopes)
        made.append((row.id, owner.id, secret))

    change(data_dir, database_url, act)
    for key_id, owner_id, secret in made:
        note(data_dir, "key create", account=owner_id, made=key_id)
        typer.echo(f"{key_id} of account {owner_id}:", err=True)
        typer.echo(secret)


@app.command("list")
def list_keys(
    account: Annotated[str | None, typer.Option(help="Only this account's.")] = None,
    *,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """List the keys that are not revoked, newest first."""
    from loopyard.identity.repository import ApiKeyRepository
    from loopyard.key.schemas import view
    from loopyard.kit.lists.paging import MAX_LIMIT, PageQuery

    lines: list[str] = []

    async def act(session: "AsyncSession") -> None:
        query = PageQuery(limit=MAX_LIMIT, include_total_count=False)
        for row in (await ApiKeyRepository(session).list_page(account, query)).items:
            shown = {**view(row).model_dump(), "account": row.account_id}
            lines.append(json.dumps(shown) if as_json else _line(shown))

    change(data_dir, database_url, act)
    for line in lines:
        typer.echo(line)


@app.command("revoke")
def revoke(key_id: str, data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Take a key back, and if it is restricted those that were made with it. Prints their ids. A running server ends
    within seconds what is open with them."""
    from loopyard.identity.repository import ApiKeyRepository
    from loopyard.key.service import take_back
    from loopyard.kit.errors import NotFound

    revoked: list[str] = []
    accounts: list[str] = []

    async def act(session: "AsyncSession") -> None:
        row = await ApiKeyRepository(session).get_valid_for_update(key_id)
        if row is None:
            raise NotFound(f"There is no API key {key_id}, or it is revoked already.")
        accounts.append(row.account_id)
        revoked.extend(await take_back(session, row))

    change(data_dir, database_url, act)
    for one in revoked:
        note(data_dir, "key revoke", account=accounts[0], made=one)
        typer.echo(one)


def _scopes(given: list[str]) -> "Scopes":
    from loopyard.identity.scopes import Level, Resource, Scopes

    levels: dict[Resource, Level] = {}
    for text in given:
        kind, _, level = text.partition("=")
        try:
            resource, wanted = Resource[kind.strip().upper()], Level[level.strip().upper()]
        except KeyError:
            raise typer.BadParameter(f"{text!r} is no scope; give one such as devboxes=write.") from None
        if resource in levels:
            raise typer.BadParameter(f"{kind} is given twice.")
        levels[resource] = wanted
    return Scopes(levels)


def _seconds(text: str) -> int:
    found = re.fullmatch(r"([1-9]\d{0,8})([smhd])", text)
    seconds = 0 if found is None else int(found[1]) * _UNITS[found[2]]
    if not 0 < seconds <= _MOST_SECONDS:
        raise typer.BadParameter(f"{text!r} is no time; give one such as 30d, 12h or 45m.")
    return seconds


def _line(shown: "Mapping[str, object]") -> str:
    from loopyard.audit.record import time_text

    scopes = shown["scopes"]
    rights = "everything"
    if isinstance(scopes, list):
        each = [f"{one['resource_type'][14:].lower()}={one['access_level'][13:].lower()}" for one in scopes]  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        rights = ",".join(each) or "nothing"
    times = [shown["expires_at_ms"], shown["last_used_ms"]]
    expires, used = [time_text(at) if isinstance(at, int) else "never" for at in times]
    name = f"{shown['name'] or '-'}{' (the server itself)' if shown['of_server'] else ''}"
    return f"{shown['id']}\t{shown['account']}\t{name}\t{rights}\texpires {expires}\tused {used}"
