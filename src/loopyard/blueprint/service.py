"""Decides about blueprints. What it decides is written by the caller's transaction and acted on after its commit."""

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.account.limits import AccountLimits, check
from loopyard.auth.acting import require
from loopyard.blueprint.builder import BlueprintBuilder
from loopyard.blueprint.dockerfile import recipe
from loopyard.blueprint.models import Blueprint
from loopyard.blueprint.origin import find
from loopyard.blueprint.repository import BlueprintRepository
from loopyard.blueprint.schemas import BlueprintBuildParameters
from loopyard.blueprint.services import password_place
from loopyard.blueprint.states import CREATED, DELETED, UNFINISHED, Status
from loopyard.identity.scopes import Level, Resource
from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import after_commit
from loopyard.kit.errors import BadRequest, WrongState
from loopyard.kit.host.environment import check_environment
from loopyard.kit.lists import names
from loopyard.launch.code_host import CodeHost, token_place
from loopyard.launch.mounts import files_of, repositories_of
from loopyard.network_policy.naming import check_nameable
from loopyard.network_policy.repository import NetworkPolicyRepository
from loopyard.object.repository import ObjectRepository
from loopyard.object.states import READ_ONLY
from loopyard.secret.held import HeldTokens
from loopyard.secret.references import check_secrets
from loopyard.secret.repository import SecretRepository


class BlueprintService:
    def __init__(
        self, builder: BlueprintBuilder, tokens: HeldTokens, code_host: CodeHost, limits: AccountLimits
    ) -> None:
        self._builder = builder
        self._tokens = tokens
        self._code_host = code_host
        self._limits = limits

    async def create(
        self, session: AsyncSession, account_id: str, params: BlueprintBuildParameters, *, blueprint_id: str
    ) -> Blueprint:
        """Decide on a new blueprint; it is built once the transaction is committed.

        Raises:
            Forbidden: The caller's key may not use something that is named.
            BadRequest: Something asked for is not valid or not offered here.
            NotFound: The base blueprint, a policy, an object or a secret does not exist.
            Busy, WrongState: The base blueprint is not complete yet, or never will be.
            LimitReached: The account has as many builds under way as it may have.
        """
        if self._builder.image_builder is None:
            raise BadRequest("This server's runtime builds no images.")
        base = await self._check(session, account_id, params)
        limits = await self._limits.hold(session, account_id)
        if limits is not None and limits.builds is not None:
            has = await BlueprintRepository(session).count_unfinished(account_id)
            check("builds", limits.builds, has, 1, account_id=account_id, advice="Wait until a build has ended.")
        tokens = {token_place(at): one.token for at, one in enumerate(params.code_mounts or []) if one.token}
        logins = [(one.name, one.credentials) for one in params.services or [] if one.credentials]
        tokens |= {password_place(name): credentials.password for name, credentials in logins}
        blueprint = Blueprint(
            id=blueprint_id,
            account_id=account_id,
            name=params.name,
            name_digest=names.digest(params.name),
            status=Status.QUEUED,
            state=CREATED,
            parameters=_stored(params),
            base_blueprint_id=base,
            metadata_=params.metadata or {},
            create_time_ms=now_ms(),
            is_public=False,
            reclaimed=False,
        )
        await BlueprintRepository(session).create(blueprint)
        await self._tokens.hold(session, blueprint_id, tokens)
        after_commit(session, lambda: self._builder.begin(blueprint_id))
        return blueprint

    async def preview(self, session: AsyncSession, account_id: str, params: BlueprintBuildParameters) -> str:
        """The Dockerfile that would be built.

        Raises:
            As `create`.
        """
        base = await self._check(session, account_id, params)
        return recipe(params, base, self._code_host).dockerfile

    async def get(self, session: AsyncSession, account_id: str, blueprint_id: str) -> Blueprint:
        """A blueprint of the account, also a deleted one.

        Raises:
            NotFound: It has none of this id.
        """
        return await BlueprintRepository(session).get_one_owned(blueprint_id, account_id)

    async def delete(self, session: AsyncSession, account_id: str, blueprint_id: str) -> None:
        """Delete a blueprint, and stop its build. Devboxes made of it keep all they have. One that is deleted stays so.

        Raises:
            NotFound: The account has none of this id.
        """
        blueprints = BlueprintRepository(session)
        blueprint = await blueprints.get_one_owned_for_update(blueprint_id, account_id)
        if blueprint.state == DELETED:
            return
        blueprint.state = DELETED
        if blueprint.status in UNFINISHED:  # whoever waits for it is to know
            blueprint.status, blueprint.failure_reason = Status.FAILED, "build_failed"
            blueprint.build_finish_time_ms = now_ms()
        await SecretRepository(session).delete_tokens(blueprint_id)
        await blueprints.update(blueprint)
        after_commit(session, lambda: self._builder.drop(blueprint_id))

    async def _check(self, session: AsyncSession, account_id: str, params: BlueprintBuildParameters) -> str | None:
        """See that all that is named is there; the id of the base blueprint, if one is named."""
        files_of(params.file_mounts, None)
        repositories_of(params.code_mounts, None)
        for field, policy_id in (
            ("network_policy_id", params.network_policy_id),
            ("launch_parameters.network_policy_id", _policy_at_launch(params)),
        ):
            if policy_id is None:
                continue
            policy = await NetworkPolicyRepository(session).get_one_owned(policy_id, account_id, field)
            check_nameable(policy, field)
        check_environment(params.build_args, "build_args")
        for index, one in enumerate(params.services or ()):
            check_environment(one.env, f"services.{index}.env")
        await check_secrets(session, account_id, params.secrets, params.build_args)
        if params.build_context is not None:
            await self._check_object(session, account_id, params.build_context.object_id)
        if params.base_blueprint_id is None and params.base_blueprint_name is None:
            return None
        base = await find(session, account_id, params.base_blueprint_id, params.base_blueprint_name, "base_blueprint")
        return base.id

    async def _check_object(self, session: AsyncSession, account_id: str, object_id: str) -> None:
        field = "build_context.object_id"
        require(Resource.OBJECTS, Level.READ, "an object that is a build's context", field=field)
        found = await ObjectRepository(session).get_one_visible(object_id, account_id, field)
        if found.state != READ_ONLY:
            raise WrongState(f"Object {object_id} is {found.state}; complete its upload first.", field=field)


def _policy_at_launch(params: BlueprintBuildParameters) -> str | None:
    return params.launch_parameters.network_policy_id if params.launch_parameters is not None else None


def _stored(params: BlueprintBuildParameters) -> dict[str, object]:
    """Build the stored form of the parameters: all but tokens and passwords."""
    stored = params.model_dump(mode="json", exclude_none=True)
    for mount in stored.get("code_mounts", []):
        mount.pop("token", None)
    for service in stored.get("services", []):
        if "credentials" in service:
            service["credentials"]["password"] = ""
    return stored
