"""Run profiles as the store keeps them: without tokens, and each once, however many runs have it."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.scenario.run.repository import ScenarioRunRepository
from loopyard.scenario.run.schemas import RunProfile

TOKENS = {"token", "auth_token"}
"""Fields of mounts that must not be read by readers of the database."""

MOST_BYTES = 1 << 20
"""How large a profile is kept for runs; files of mounts may be larger."""


@dataclass(frozen=True, slots=True)
class KeptProfile:
    """The launch parameters, mounts and upstreams of a profile, by the names of its fields. `missing` says what could
    not be kept, in words."""

    fields: dict[str, Any] = field(default_factory=dict[str, Any])
    missing: list[str] = field(default_factory=list[str])


def fields_of(profile: RunProfile) -> dict[str, Any]:
    """The parts of a profile that a run has no columns for, as JSON without tokens; `RunProfile` takes them back."""
    kept: dict[str, Any] = {}
    if profile.launch_parameters is not None:
        kept["launch_parameters"] = profile.launch_parameters.model_dump(mode="json", exclude_none=True)
    for name in ("gateways", "mcp"):
        if (specs := getattr(profile, name)) is not None:
            kept[name] = {variable: spec.model_dump(mode="json") for variable, spec in specs.items()}
    if profile.mounts:
        kept["mounts"] = [mount.model_dump(mode="json", exclude=TOKENS) for mount in profile.mounts]
    return kept


async def keep(session: AsyncSession, profile: RunProfile) -> str | None:
    """Keep the parts of a profile that a run has no columns for; their digest, or None where there are none."""
    fields = fields_of(profile)
    if not fields:
        return None
    missing = [
        f"the {name.replace('_', ' ')} of mount {at + 1}"
        for at, mount in enumerate(profile.mounts or [])
        for name in sorted(TOKENS)
        if getattr(mount, name, None) is not None
    ]
    if len(orjson.dumps(fields)) > MOST_BYTES:
        fields, missing = {}, [*missing, "its mounts, which are larger than 1 MiB"]
    content = orjson.dumps({"fields": fields, "missing": missing}, option=orjson.OPT_SORT_KEYS)
    digest = hashlib.sha256(content).hexdigest()
    await ScenarioRunRepository(session).keep_profile(digest, fields, missing)
    return digest


async def find(session: AsyncSession, digest: str | None) -> KeptProfile:
    """The parts kept under a digest; nothing for None."""
    row = None if digest is None else await ScenarioRunRepository(session).get_profile(digest)
    return KeptProfile() if row is None else KeptProfile(row.fields, row.missing)
