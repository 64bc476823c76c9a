"""Decides about registered scorers."""

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.kit.clock import now_ms
from loopyard.kit.errors import BadRequest
from loopyard.kit.lists import names
from loopyard.scorer.registered.models import RegisteredScorer
from loopyard.scorer.registered.repository import RegisteredScorerRepository
from loopyard.scorer.registered.schemas import ScorerParams


async def create(session: AsyncSession, account_id: str, params: ScorerParams, *, scorer_id: str) -> RegisteredScorer:
    """Register a scorer under a type.

    Raises:
        BadRequest: The account has a scorer of this type.
    """
    scorer = RegisteredScorer(
        id=scorer_id,
        account_id=account_id,
        type=params.type,
        type_folded=names.fold(params.type),
        bash_script=params.bash_script,
        create_time_ms=now_ms(),
    )
    if not await RegisteredScorerRepository(session).create_if_new(scorer):
        raise _taken(params.type)
    return scorer


async def update(session: AsyncSession, account_id: str, scorer_id: str, params: ScorerParams) -> RegisteredScorer:
    """Replace a scorer's script and type.

    Raises:
        NotFound: The account has none of this id.
        BadRequest: Another scorer of the account has this type.
    """
    scorers = RegisteredScorerRepository(session)
    scorer = await scorers.get_one_owned(scorer_id, account_id)
    if await scorers.id_of_type(account_id, params.type) not in (None, scorer_id):
        raise _taken(params.type)
    scorer.type, scorer.type_folded, scorer.bash_script = params.type, names.fold(params.type), params.bash_script
    try:
        return await scorers.update(scorer)
    except IntegrityError as error:  # somebody was faster
        raise _taken(params.type) from error


def _taken(scorer_type: str) -> BadRequest:
    return BadRequest(f"type: there is a scorer of type {scorer_type} already; update that one.", field="type")
