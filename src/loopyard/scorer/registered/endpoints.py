"""/v1/scenarios/scorers: registering, finding and changing scorers."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from loopyard.auth.caller import CallerDep
from loopyard.auth.creation import Creation, creation_of
from loopyard.kit.db.database import ReadSession, WriteSession
from loopyard.kit.http.wire import ShortText
from loopyard.kit.lists.paging import PageParams, cursor_of
from loopyard.scorer.registered import service
from loopyard.scorer.registered.repository import RegisteredScorerRepository
from loopyard.scorer.registered.schemas import ScorerListView, ScorerParams, ScorerView

router = APIRouter(prefix="/v1/scenarios/scorers", tags=["scorers"])

_PREFIX, _FORMER_PREFIX = "scs", "sco"
"""How ids begin. Those of the first versions sort before all others, as they are older."""

CreationDep = Annotated[Creation, Depends(creation_of("scenarios.scorers.create", _PREFIX))]


@router.post("", operation_id="scenarios.scorers.create")
async def create(params: ScorerParams, caller: CallerDep, session: WriteSession, creation: CreationDep) -> ScorerView:
    """Register a scorer: a Bash script that takes its context as JSON in `$RL_SCORER_CONTEXT`."""
    made = await creation.claim(session)
    if made.is_repeat:
        return ScorerView.model_validate(
            await RegisteredScorerRepository(session).get_one_owned(made.id, caller.account_id)
        )
    return ScorerView.model_validate(await service.create(session, caller.account_id, params, scorer_id=made.id))


@router.get("", operation_id="scenarios.scorers.list")
async def list_scorers(
    caller: CallerDep,
    session: ReadSession,
    page_query: PageParams,
    search: Annotated[
        ShortText | None,
        Query(description="Only scorers whose id starts with this, or whose type holds it in upper or lower case."),
    ] = None,
) -> ScorerListView:
    """The account's scorers, newest first."""
    is_former = (page_query.starting_after or "").startswith(f"{_FORMER_PREFIX}_")
    cursor = cursor_of(page_query, _FORMER_PREFIX if is_former else _PREFIX)
    page = await RegisteredScorerRepository(session).list_page(caller.account_id, search, cursor)
    views = [ScorerView.model_validate(scorer) for scorer in page.items]
    return ScorerListView(scorers=views, has_more=page.has_more, total_count=page.total_count)


@router.get("/{id}", operation_id="scenarios.scorers.retrieve")
async def retrieve(id: ShortText, caller: CallerDep, session: ReadSession) -> ScorerView:
    """Retrieve a registered scorer."""
    return ScorerView.model_validate(await RegisteredScorerRepository(session).get_one_owned(id, caller.account_id))


@router.post("/{id}", operation_id="scenarios.scorers.update")
async def update(id: ShortText, params: ScorerParams, caller: CallerDep, session: WriteSession) -> ScorerView:
    """Replace a scorer's script and type."""
    return ScorerView.model_validate(await service.update(session, caller.account_id, id, params))
