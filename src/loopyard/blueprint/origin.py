"""Finds the blueprint that a devbox, or another blueprint, is to be made from."""

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.blueprint.models import Blueprint
from loopyard.blueprint.repository import BlueprintRepository
from loopyard.blueprint.states import CREATED, Status
from loopyard.kit.errors import Busy, NotFound, WrongState


async def find(
    session: AsyncSession, account_id: str, blueprint_id: str | None, name: str | None, field: str = "blueprint"
) -> Blueprint:
    """A complete blueprint by id, or the latest of a name. `field` is what the request's fields start with. It is kept
    from being deleted until the transaction ends.

    Raises:
        NotFound: The account has none.
        Busy: It is still being built.
        WrongState: Its build failed.
    """
    blueprints = BlueprintRepository(session)
    if blueprint_id is None:
        found = await blueprints.get_latest(account_id, name or "")
        found = None if found is None else await blueprints.get_by_id_for_update(found.id)
        if found is None or found.state != CREATED:
            raise NotFound(f"There is no complete blueprint named {name}.", field=f"{field}_name")
        return found
    found = await blueprints.get_one_owned_for_update(blueprint_id, account_id, f"{field}_id")
    if found.state != CREATED:
        raise blueprints.not_found(blueprint_id, f"{field}_id")
    if found.status == Status.FAILED:
        raise WrongState(f"The build of blueprint {blueprint_id} failed.", field=f"{field}_id")
    if found.status != Status.COMPLETE:
        raise Busy(f"Blueprint {blueprint_id} is {found.status}; wait until it is complete.", field=f"{field}_id")
    return found
