"""`loopyard account`: accounts, made and limited on the server's own machine."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from loopyard.cli.operator import DatabaseUrl, DataDir, change, note

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

app = typer.Typer(name="account", help="Accounts: no account sees what another has.", no_args_is_help=True)


@app.callback()
def account() -> None:
    """Accounts: no account sees what another has."""


@app.command("create")
def create(name: str, data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Make an account. Prints its id. It has no key before `loopyard key create --account ID` makes one."""
    from loopyard.account.service import create as make

    made: list[str] = []

    async def act(session: "AsyncSession") -> None:
        made.append((await make(session, name)).id)

    change(data_dir, database_url, act)
    for account_id in made:
        note(data_dir, "account create", account=account_id, made=account_id)
        typer.echo(account_id)


@app.command("list")
def list_accounts(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print lines of JSON.")] = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """List the accounts, oldest first, with their own limits."""
    from loopyard.account.repository import AccountRepository

    lines: list[str] = []

    async def act(session: "AsyncSession") -> None:
        for row in await AccountRepository(session).list_all():
            shown = {
                "id": row.id,
                "name": row.name,
                "disabled": row.disabled_at_ms is not None,
                "limits": row.limits or {},
                "create_time_ms": row.create_time_ms,
            }
            state = "disabled" if row.disabled_at_ms is not None else "enabled"
            limits = ", ".join(f"{name}={value}" for name, value in (row.limits or {}).items())
            lines.append(json.dumps(shown) if as_json else f"{row.id}\t{row.name}\t{state}\t{limits}")

    change(data_dir, database_url, act)
    for line in lines:
        typer.echo(line)


@app.command("disable")
def disable(account_id: str, data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Close an account: its keys are refused, and what is open with them ends within seconds. Its devboxes are left as
    they are, and nothing is deleted."""
    _enable(account_id, False, data_dir, database_url)


@app.command("enable")
def enable(account_id: str, data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Open a disabled account again."""
    _enable(account_id, True, data_dir, database_url)


def _enable(account_id: str, enabled: bool, data_dir: DataDir, database_url: DatabaseUrl) -> None:
    from loopyard.account.service import set_enabled

    async def act(session: "AsyncSession") -> None:
        await set_enabled(session, account_id, enabled=enabled)

    change(data_dir, database_url, act)
    note(data_dir, f"account {'enable' if enabled else 'disable'}", account=account_id)


_Limit = Annotated[str | None, typer.Option(help="A number; `none` for no limit, `server` for the server's own.")]


@app.command("limit")
def limit(
    account_id: str,
    running_devboxes: _Limit = None,
    cpu_cores: _Limit = None,
    memory_gib: _Limit = None,
    disk_gib: _Limit = None,
    builds: _Limit = None,
    jobs: _Limit = None,
    object_bytes: _Limit = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Limit what an account may have at a time, in place of the server's own limits (LOOPYARD_LIMITS__…). Prints its
    own limits. What it has already stays, also if it is more."""
    from loopyard.account.service import limit as set_limits

    options = {
        "running_devboxes": running_devboxes,
        "cpu_cores": cpu_cores,
        "memory_gib": memory_gib,
        "disk_gib": disk_gib,
        "builds": builds,
        "jobs": jobs,
        "object_bytes": object_bytes,
    }
    given = {name: value for name, value in options.items() if value is not None}
    lifted = [name for name, value in given.items() if value == "server"]
    changes = {name: None if value == "none" else value for name, value in given.items() if value != "server"}
    own: list[str] = []

    async def act(session: "AsyncSession") -> None:
        own.append(json.dumps((await set_limits(session, account_id, changes, lifted)).model_dump(exclude_unset=True)))

    change(data_dir, database_url, act)
    if given:
        note(data_dir, f"account limit {json.dumps(given)}", account=account_id)
    for line in own:
        typer.echo(line)
