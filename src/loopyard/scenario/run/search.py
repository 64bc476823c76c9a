"""Free text search among runs: the start of an id, or a part of a name whatever its case.

Many runs share few names, so the names that match are looked up first. Where they are few, the runs of each are found
in an index; where they are many, so are the runs, and going through the list finds a page of them soon.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select, union
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.kit.db.database import upsert_into
from loopyard.kit.lists import names
from loopyard.kit.lists.paging import PageQuery, after
from loopyard.scenario.run.models import ScenarioRun, ScenarioRunCount, ScenarioRunName

FEW_NAMES = 50

_ID_START = re.compile(r"scr_[0-9a-z]*")


@dataclass(frozen=True, slots=True)
class Search:
    """A search that was looked up. `digests` are the names that match, None if they are more than `FEW_NAMES`."""

    account_id: str
    text: str
    digests: Sequence[str] | None

    @property
    def by_id(self) -> ColumnElement[bool] | None:
        """The runs whose ids start with the text; None if no id can."""
        if not ("scr_".startswith(self.text) or _ID_START.fullmatch(self.text)):
            return None
        end = self.text[:-1] + chr(ord(self.text[-1]) + 1)
        return (ScenarioRun.id >= self.text) & (ScenarioRun.id < end)

    @property
    def condition(self) -> ColumnElement[bool]:
        """SQL condition: a run matches."""
        by_id = self.by_id
        return self._by_name if by_id is None else or_(by_id, self._by_name)

    @property
    def _by_name(self) -> ColumnElement[bool]:
        if self.digests is None:
            return names.holds(ScenarioRun.name_folded, self.text)
        return ScenarioRun.name_digest.in_(self.digests)

    def ids(self, conditions: Sequence[ColumnElement[bool]], query: PageQuery) -> Select[Any] | None:
        """The ids of a page and one more, where the names are few: the newest of each name, of which the newest are the
        page. None where going through the list is the better way."""
        if self.digests is None:
            return None
        branches = [ScenarioRun.name_digest == digest for digest in self.digests]
        if (by_id := self.by_id) is not None:
            branches.append(by_id)
        if not branches:
            return select(ScenarioRun.id).where(ScenarioRun.id.is_(None))
        parts = [after(select(ScenarioRun.id).where(*conditions, each), ScenarioRun.id, query) for each in branches]
        found = union(*(select(part.subquery().c.id) for part in parts)).subquery()
        return select(found.c.id).order_by(found.c.id.desc()).limit(query.limit + 1)

    async def total(self, session: AsyncSession, state: str | None) -> int:
        """How many runs of the account match, in one state or in all."""
        count = ScenarioRunCount
        named = (
            select(func.coalesce(func.sum(count.n), 0))
            .join(
                ScenarioRunName,
                (ScenarioRunName.account_id == count.account_id) & (ScenarioRunName.digest == count.key),
            )
            .where(count.account_id == self.account_id, count.dimension == "name", *_matching(self))
        )
        if state is not None:
            named = named.where(count.state == state)
        total = int(await session.scalar(named) or 0)
        if (by_id := self.by_id) is not None:
            # Those that match by both are counted by their names already.
            nameless = or_(ScenarioRun.name_digest.is_(None), ~self._by_name)
            more = select(func.count()).select_from(ScenarioRun)
            more = more.where(ScenarioRun.account_id == self.account_id, by_id, nameless)
            total += await session.scalar(more if state is None else more.where(ScenarioRun.state == state)) or 0
        return total


def _matching(search: Search) -> list[ColumnElement[bool]]:
    if search.digests is None:
        return [names.holds(ScenarioRunName.folded, search.text)]
    return [ScenarioRunName.digest.in_(search.digests)]


async def look_up(session: AsyncSession, account_id: str, text: str) -> Search:
    """Find the names that hold the text."""
    found = select(ScenarioRunName.digest).where(
        ScenarioRunName.account_id == account_id, names.holds(ScenarioRunName.folded, text)
    )
    digests = (await session.scalars(found.limit(FEW_NAMES + 1))).all()
    return Search(account_id, text, digests if len(digests) <= FEW_NAMES else None)


async def remember(session: AsyncSession, run: ScenarioRun) -> None:
    """Make a new run's name one that is found."""
    if run.name_digest is None:
        return
    known = (run.account_id, run.name_digest)
    if await session.get(ScenarioRunName, known) is None:
        name = upsert_into(session, ScenarioRunName)
        values = name.values(account_id=run.account_id, digest=run.name_digest, folded=run.name_folded)
        await session.execute(values.on_conflict_do_nothing())
