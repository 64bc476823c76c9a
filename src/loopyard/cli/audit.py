"""`loopyard audit`: the audit log of a server."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from loopyard.cli.operator import DataDir

_AGO = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def audit(
    since: Annotated[
        str | None, typer.Option(help="From this time on: 2026-11-30, 2026-11-30T12:00 (UTC), or 2h for two hours ago.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Before this time, written as --since.")] = None,
    account: Annotated[str | None, typer.Option(help="Only this account's.")] = None,
    key: Annotated[str | None, typer.Option(help="Only what was done with the API key of this id.")] = None,
    operation: Annotated[str | None, typer.Option(help="Only operations whose name has this in it.")] = None,
    resource: Annotated[str | None, typer.Option(help="Only what concerns the resource of this id.")] = None,
    outcome: Annotated[str | None, typer.Option(help="Only done, refused or failed.")] = None,
    source: Annotated[str | None, typer.Option(help="Only what came from this address.")] = None,
    last: Annotated[int | None, typer.Option(help="Only the last so many.", min=1)] = None,
    data_dir: DataDir = None,
) -> None:
    """Print who did what, when, from where, and with what outcome: a line of JSON for each, oldest first.

    Works whether the server runs or not; what was done within the last second may be missing still.
    """
    from collections import deque

    from loopyard.audit.log import FOLDER
    from loopyard.audit.reading import Filters, read
    from loopyard.config import InvalidSettings, load

    if outcome not in (None, "done", "refused", "failed"):
        raise typer.BadParameter("give done, refused or failed.", param_hint="--outcome")
    filters = Filters(_time(since), _time(until), account, key, operation, resource, outcome, source)
    try:
        folder = load(data_dir=data_dir).data_dir / FOLDER
        records = read(folder, filters)
        for record in records if last is None else deque(records, maxlen=last):
            typer.echo(json.dumps(record, ensure_ascii=False))
    except (InvalidSettings, OSError) as error:
        typer.echo(f"The audit log cannot be read: {error}", err=True)
        raise typer.Exit(1) from error


def _time(given: str | None) -> str | None:
    """A time as the log has it."""
    from loopyard.audit.record import time_text

    if given is None:
        return None
    if (ago := _AGO.fullmatch(given)) is not None:
        moment = datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    else:
        try:
            moment = datetime.fromisoformat(given)
        except ValueError:
            raise typer.BadParameter(f"{given!r} is no time.") from None
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return time_text(int(moment.timestamp() * 1000))
