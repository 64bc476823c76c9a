"""SQL for scenario runs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, Text, cast, func, or_, select

from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import upsert_into
from loopyard.kit.db.repository import OwnedRepository
from loopyard.kit.errors import WrongState
from loopyard.kit.lists import names
from loopyard.kit.lists.paging import Page, PageQuery, after
from loopyard.scenario.run import counts
from loopyard.scenario.run.counts import CountKey
from loopyard.scenario.run.models import KeptRunProfile, ScenarioRun, ScenarioRunPatch
from loopyard.scenario.run.search import Search, look_up, remember
from loopyard.scenario.run.states import FINAL, State, can_become

PLAIN_NAMES = (
    "id",
    "name",
    "scenario_id",
    "devbox_id",
    "benchmark_run_id",
    "state",
    "purpose",
    "start_time_ms",
    "duration_ms",
)
JSON_NAMES = ("metadata", "environment_variables", "secrets_provided", "scoring_contract_result")
"""The columns of a list, by their names on the wire: plain ones, then those that come as the text of their JSON."""

_TABLE = ScenarioRun.__table__.columns
_LISTED = (*(_TABLE[name] for name in PLAIN_NAMES), *(cast(_TABLE[name], Text) for name in JSON_NAMES))


@dataclass(frozen=True, slots=True)
class RunFilters:
    """Filters of a list. `name` is the whole name; `search` the start of an id, or a part of a name."""

    name: str | None = None
    state: str | None = None
    benchmark_run_id: str | None = None
    scenario_id: str | None = None
    search: str | None = None


class RunDevbox(NamedTuple):
    """A scenario run and its devbox."""

    id: str
    devbox_id: str
    state: str


@dataclass(frozen=True, slots=True)
class RunOfBenchmark:
    """A scenario run, as a report needs it. `result` is its `ScoringContractResult` as JSON."""

    id: str
    scenario_id: str
    devbox_id: str
    state: str
    metadata: dict[str, str]
    duration_ms: int | None
    result: dict[str, Any] | None
    fault: str | None
    failure_reason: str | None


_OF_BENCHMARK = tuple(
    _TABLE[name]
    for name in (
        *("id", "scenario_id", "devbox_id", "state", "metadata", "duration_ms", "scoring_contract_result"),
        *("fault", "failure_reason"),
    )
)


def _rows(conditions: Sequence[ColumnElement[bool]], search: Search | None, query: PageQuery) -> Select[Any]:
    listed = select(*_LISTED)
    ids = None if search is None else search.ids(conditions, query)
    if ids is not None:
        return listed.where(ScenarioRun.id.in_(ids)).order_by(ScenarioRun.id.desc())
    if search is not None:
        listed = listed.where(search.condition)
    return after(listed.where(*conditions), ScenarioRun.id, query)


def _conditions(account_id: str, filters: RunFilters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [ScenarioRun.account_id == account_id]
    if filters.name is not None:
        conditions.append(names.equals(ScenarioRun.name_digest, ScenarioRun.name, filters.name))
    if filters.state is not None:
        conditions.append(ScenarioRun.state == filters.state)
    if filters.benchmark_run_id is not None:
        conditions.append(ScenarioRun.benchmark_run_id == filters.benchmark_run_id)
    if filters.scenario_id is not None:
        conditions.append(ScenarioRun.scenario_id == filters.scenario_id)
    return conditions


class ScenarioRunRepository(OwnedRepository[ScenarioRun]):
    model = ScenarioRun
    kind = "scenario run"

    async def create(self, row: ScenarioRun) -> ScenarioRun:
        """Write a new run, count it, and make its name one that is found."""
        await super().create(row)
        await counts.record(self._session, row, None, row.state)
        await remember(self._session, row)
        return row

    async def move(self, run: ScenarioRun, state: State) -> None:
        """Move a locked run on, count it anew, and record its duration if it is over.

        Raises:
            WrongState: Its present state does not lead there.
        """
        before = run.state
        if not can_become(before, state):
            raise WrongState(f"Scenario run {run.id} is {before} and cannot become {state}.")
        run.state = state
        if state in FINAL:
            run.duration_ms = max(0, now_ms() - run.start_time_ms)
        await self._session.flush()
        await counts.record(self._session, run, before, state)

    async def create_patch_if_new(self, values: Mapping[str, Any]) -> None:
        """Store the changes of a run, unless some are stored."""
        statement = upsert_into(self._session, ScenarioRunPatch).values(**values)
        await self._session.execute(statement.on_conflict_do_nothing())

    async def get_patch(self, run_id: str) -> ScenarioRunPatch | None:
        """The changes of a run, if they are stored."""
        return await self._session.scalar(select(ScenarioRunPatch).where(ScenarioRunPatch.run_id == run_id))

    async def keep_profile(self, digest: str, fields: dict[str, Any], missing: Sequence[str]) -> None:
        """Keep parts of a run profile under their digest, unless they are kept already."""
        known = select(KeptRunProfile.digest).where(KeptRunProfile.digest == digest)
        if await self._session.scalar(known) is None:
            values = upsert_into(self._session, KeptRunProfile).values(digest=digest, fields=fields, missing=missing)
            await self._session.execute(values.on_conflict_do_nothing())

    async def get_profile(self, digest: str) -> KeptRunProfile | None:
        """The parts of a run profile that are kept under a digest."""
        return await self._session.get(KeptRunProfile, digest)

    async def failures(self, run_ids: Collection[str]) -> dict[str, tuple[str | None, str | None]]:
        """Whose fault it is that runs failed, and why, of those of them that tell either."""
        told = or_(ScenarioRun.fault.is_not(None), ScenarioRun.failure_reason.is_not(None))
        columns = (ScenarioRun.id, ScenarioRun.fault, ScenarioRun.failure_reason)
        rows = await self._session.execute(select(*columns).where(ScenarioRun.id.in_(run_ids), told))
        return {row[0]: (row[1], row[2]) for row in rows}

    async def ids_scoring(self) -> Sequence[str]:
        """All runs that are being scored."""
        return (await self._session.scalars(select(ScenarioRun.id).where(ScenarioRun.state == State.SCORING))).all()

    async def list_page(self, account_id: str, filters: RunFilters, query: PageQuery) -> Page[Row[Any]]:
        """A page of the account's runs, newest first, as rows of `PLAIN_NAMES` and `JSON_NAMES`."""
        conditions = _conditions(account_id, filters)
        search = await look_up(self._session, account_id, filters.search) if filters.search else None
        total = None
        if query.include_total_count:
            total = await self._total(account_id, filters, conditions, search)
        rows = (await self._session.execute(_rows(conditions, search, query))).all()
        return Page(rows[: query.limit], len(rows) > query.limit, total)

    async def list_devboxes_of_benchmark_run(
        self, account_id: str, benchmark_run_id: str, query: PageQuery
    ) -> Page[RunDevbox]:
        """A page of the runs of a benchmark run with their devboxes, newest first."""
        statement: Select[Any] = select(*(_TABLE[name] for name in RunDevbox._fields)).where(
            ScenarioRun.account_id == account_id, ScenarioRun.benchmark_run_id == benchmark_run_id
        )
        runs = [RunDevbox(*row) for row in await self._session.execute(after(statement, ScenarioRun.id, query))]
        return Page(runs[: query.limit], len(runs) > query.limit, None)

    async def list_of_benchmark_run(
        self, account_id: str, benchmark_run_id: str, *, after_id: str = "", limit: int
    ) -> list[RunOfBenchmark]:
        """The runs of a benchmark run that were started after `after_id`, oldest first, at most `limit`."""
        statement = select(*_OF_BENCHMARK).where(
            ScenarioRun.account_id == account_id,
            ScenarioRun.benchmark_run_id == benchmark_run_id,
            ScenarioRun.id > after_id,
        )
        rows = await self._session.execute(statement.order_by(ScenarioRun.id).limit(limit))
        return [RunOfBenchmark(*row) for row in rows]

    async def _total(
        self,
        account_id: str,
        filters: RunFilters,
        conditions: Sequence[ColumnElement[bool]],
        search: Search | None,
    ) -> int:
        """All runs that match: from the counts where they tell it, else by counting the matches."""
        match replace(filters, state=None, search=None):
            case RunFilters(None, None, None, None):
                if search is not None:
                    return await search.total(self._session, filters.state)
                key = CountKey(account_id, "account", "")
            case RunFilters(None, None, None, str(scenario_id)):
                key = CountKey(account_id, "scenario", scenario_id)
            case RunFilters(None, None, str(benchmark_run_id), None):
                key = CountKey(account_id, "benchmark_run", benchmark_run_id)
            case RunFilters(str(name), None, None, None):
                key = CountKey(account_id, "name", names.digest(name))
            case _:
                key = None
        if key is not None and search is None:
            return await counts.total(self._session, key, filters.state)
        counting = select(func.count()).select_from(ScenarioRun).where(*conditions)
        return await self._session.scalar(counting if search is None else counting.where(search.condition)) or 0
