"""Checks of a request against what this server offers, before anything is made."""

import platform
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.auth.acting import require
from loopyard.blueprint import origin as blueprints
from loopyard.blueprint.models import Blueprint
from loopyard.blueprint.services import required
from loopyard.devbox.schemas import DevboxCreateParams
from loopyard.identity.scopes import Level, Resource
from loopyard.kit.errors import BadRequest, Busy, NotFound, WrongState
from loopyard.launch.image import ImageNotes
from loopyard.launch.parameters import LaunchParameters, UserParameters
from loopyard.network_policy.naming import check_nameable
from loopyard.network_policy.repository import NetworkPolicyRepository
from loopyard.snapshot.repository import SnapshotRepository
from loopyard.snapshot.states import COMPLETE, ERROR, IN_PROGRESS

_POLICY = "launch_parameters.network_policy_id"
_MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True, slots=True)
class Origin:
    """Base of a devbox, found by what the request names; all None for the base image. `launch` are its launch
    parameters, with those of its blueprint."""

    launch: LaunchParameters
    snapshot_id: str | None = None
    blueprint_id: str | None = None
    image: dict[str, Any] | None = None
    """Settings of the image, as rows have them."""
    services: list[dict[str, object]] | None = None
    """Services beside it, as rows have them."""


def _check_architecture(launch: LaunchParameters) -> None:
    if launch.architecture is not None and _MACHINES[launch.architecture] != platform.machine():
        field = "launch_parameters.architecture"
        raise BadRequest(f"{field}: this host is {platform.machine()}.", field=field)


async def find_origin(session: AsyncSession, account_id: str, params: DevboxCreateParams) -> Origin:
    """See that the base that the request names, and the policy, are there, and keep them until the transaction ends.

    Raises:
        BadRequest: Two bases are named, or this host has another architecture, or the blueprint's launch parameters and
            those given do not go together.
        Forbidden: The caller's key may not read blueprints or snapshots, or not name the policy.
        NotFound: The blueprint, snapshot or network policy named does not exist.
        Busy: The snapshot is still being taken, or the blueprint being built.
        WrongState: Taking the snapshot failed, or the build.
    """
    sources = [name for name in ("snapshot_id", "blueprint_id", "blueprint_name") if getattr(params, name) is not None]
    if len(sources) > 1:
        raise BadRequest(f"{sources[1]}: give only one of {' and '.join(sources)}.", field=sources[1])
    launch = params.launch_parameters or LaunchParameters()
    origin = Origin(launch)
    if params.blueprint_id is not None or params.blueprint_name is not None:
        require(Resource.BLUEPRINTS, Level.READ, "a blueprint that a devbox is made of", field="blueprint_id")
        blueprint = await blueprints.find(session, account_id, params.blueprint_id, params.blueprint_name)
        inherited = _with_user(_inherited(blueprint, launch), blueprint.image)
        services = required(blueprint, inherited.required_services or []) or None
        origin = Origin(inherited, blueprint_id=blueprint.id, image=blueprint.image, services=services)
    else:
        required(None, launch.required_services or [])
    _check_architecture(origin.launch)
    policy_id = origin.launch.network_policy_id
    if policy_id is not None:
        policy = await NetworkPolicyRepository(session).get_one_owned_for_update(policy_id, account_id, _POLICY)
        check_nameable(policy, _POLICY)
    if params.snapshot_id is None:
        return origin
    require(Resource.SNAPSHOTS, Level.READ, "a snapshot that a devbox is made of", field="snapshot_id")
    snapshot = await SnapshotRepository(session).get_by_id_for_update(params.snapshot_id)
    status = snapshot.status if snapshot is not None and snapshot.account_id == account_id else None
    if status == IN_PROGRESS:
        raise Busy(f"Snapshot {params.snapshot_id} is still being taken; wait until it is complete.")
    if status == ERROR:
        raise WrongState(f"Snapshot {params.snapshot_id} could not be taken, so nothing can be made from it.")
    if status != COMPLETE:
        raise NotFound(f"There is no snapshot {params.snapshot_id}.", field="snapshot_id")
    assert snapshot is not None  # noqa: S101
    return Origin(_with_user(launch, snapshot.image), snapshot_id=params.snapshot_id, image=snapshot.image)


def _with_user(launch: LaunchParameters, image: dict[str, Any] | None) -> LaunchParameters:
    """The user of the image counts where nobody names another."""
    user = ImageNotes.read(image).user
    if user is None or launch.user_parameters is not None:
        return launch
    try:
        return launch.model_copy(update={"user_parameters": UserParameters.model_validate(user)})
    except ValidationError:  # one that no devbox can have
        return launch


_SIZES = {"resource_size_request", "custom_cpu_cores", "custom_gb_memory", "custom_disk_size"}
_IDLE = {"after_idle", "lifecycle", "keep_alive_time_seconds"}


def _inherited(blueprint: Blueprint, launch: LaunchParameters) -> LaunchParameters:
    """The blueprint's launch parameters, in place of which those given are taken. Those that only make sense together
    are taken together."""
    given = launch.model_dump(mode="json", exclude_none=True)
    kept: dict[str, Any] = dict(blueprint.parameters.get("launch_parameters") or {})
    for group in (_SIZES, _IDLE):
        if group & given.keys():
            kept = {name: value for name, value in kept.items() if name not in group}
    merged = {**kept, **given}
    try:
        return LaunchParameters.model_validate(merged)
    except ValidationError as error:
        reason = error.errors(include_url=False, include_input=False, include_context=False)[0]["msg"]
        message = f"launch_parameters: with those of blueprint {blueprint.id}: {reason}"
        raise BadRequest(message, field="launch_parameters") from error
