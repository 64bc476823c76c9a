"""Makes on the server what scenarios' boxes are made of: blueprints for Dockerfiles, network policies for allowed
hosts.

Each has a name that tells its content, so that what is there already is found and used, by every bench and every
import.
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import httpx
from runloop_api_client import AsyncRunloop
from runloop_api_client.types import BlueprintCreateParams

from loopyard.bench.archive import pack
from loopyard.bench.definition import Environment

BUILD_SECONDS = 2 * 3600
_LOOK_SECONDS = 1.0
_PAGE = 100
_SHOWN_LINES = 15
_CONTEXT_TTL_MS = BUILD_SECONDS * 1000
_UPLOAD_SECONDS = 600
_BUILDING = ("queued", "provisioning", "building")


class NotBuilt(Exception):
    """A blueprint could not be built; the message has the end of the build's log."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Blueprint and other objects published for one environment; None where it needs none of the kind."""

    blueprint_id: str | None = None
    network_policy_id: str | None = None


class Origins:
    """Objects published on one server for environments. Each is made once, also if several scenarios need it at a
    time."""

    def __init__(self, client: AsyncRunloop) -> None:
        self._client = client
        self._made: dict[str, asyncio.Task[str]] = {}

    async def of(self, environment: Environment) -> Origin:
        """Make what the environment needs.

        Raises:
            NotBuilt: Its Dockerfile does not build.
            BadFolder: Its build context cannot be packed.
            APIError: The server does not take it.
        """
        return Origin(await self._blueprint(environment), await self._policy(environment))

    async def _blueprint(self, environment: Environment) -> str | None:
        dockerfile = environment.dockerfile
        if dockerfile is None:
            return None
        context = (
            None if environment.build_context is None else await asyncio.to_thread(pack, environment.build_context)
        )
        arguments = environment.build_args or {}
        told = [json.dumps(arguments, sort_keys=True).encode()] if arguments else []
        name = f"scenario-{_digest(dockerfile.encode(), context or b'', *told)}"
        return await self._once(name, lambda: self._built(name, dockerfile, context, arguments))

    async def _policy(self, environment: Environment) -> str | None:
        if environment.allowed_hostnames is None:
            return None
        hosts = sorted(set(environment.allowed_hostnames))
        name = f"scenario-hosts-{_digest(*(host.encode() for host in hosts))}"
        gateway = environment.calls_gateways
        if gateway:
            name += "-gateway"
        return await self._once(name, lambda: self._policy_of(name, hosts, gateway=gateway))

    async def _once(self, name: str, make: Callable[[], Awaitable[str]]) -> str:
        if name not in self._made:
            self._made[name] = asyncio.ensure_future(make())
        return await self._made[name]

    async def _built(self, name: str, dockerfile: str, context: bytes | None, arguments: Mapping[str, str]) -> str:
        async for found in self._client.blueprints.list(name=name, limit=_PAGE):
            if found.name == name and found.status == "build_complete":
                return found.id
        given: BlueprintCreateParams = {"name": name, "dockerfile": dockerfile}
        if arguments:
            given["build_args"] = dict(arguments)
        if context is not None:
            given["build_context"] = {"type": "object", "object_id": await self._upload(f"{name}.tgz", context)}
        blueprint = await self._client.blueprints.create(**given)
        for _ in range(int(BUILD_SECONDS / _LOOK_SECONDS)):
            status = (await self._client.blueprints.retrieve(blueprint.id)).status
            if status == "build_complete":
                return blueprint.id
            if status not in _BUILDING:
                raise NotBuilt(f"its Dockerfile does not build:\n{await self._log(blueprint.id)}")
            await asyncio.sleep(_LOOK_SECONDS)
        raise NotBuilt(f"its Dockerfile was not built within {BUILD_SECONDS} seconds (blueprint {blueprint.id})")

    async def _upload(self, name: str, content: bytes) -> str:
        made = await self._client.objects.create(name=name, content_type="tgz", ttl_ms=_CONTEXT_TTL_MS)
        assert made.upload_url is not None  # noqa: S101
        async with httpx.AsyncClient(timeout=_UPLOAD_SECONDS) as http:
            (await http.put(made.upload_url, content=content)).raise_for_status()
        await self._client.objects.complete(made.id)
        return made.id

    async def _log(self, blueprint_id: str) -> str:
        lines = (await self._client.blueprints.logs(blueprint_id)).logs
        return "\n".join(line.message for line in lines[-_SHOWN_LINES:])

    async def _policy_of(self, name: str, hosts: list[str], *, gateway: bool) -> str:
        async for found in self._client.network_policies.list(name=name, limit=_PAGE):
            egress = found.egress
            same = sorted(egress.allowed_hostnames) == hosts and bool(egress.allow_agent_gateway) == gateway
            if found.name == name and same and not egress.allow_all:
                return found.id
        policy = await self._client.network_policies.create(
            name=name, allow_all=False, allowed_hostnames=hosts, allow_agent_gateway=gateway
        )
        return policy.id


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:24]
