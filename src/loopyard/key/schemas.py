"""The wire's words for keys."""

from typing import Annotated, Any, Literal, cast

from pydantic import Field

from loopyard.identity.models import ApiKey
from loopyard.identity.scopes import Level, Resource, Scopes
from loopyard.kit.http.wire import MAX_INT, Params, ShortText, View

ResourceType = Literal[
    "RESOURCE_TYPE_DEVBOXES",
    "RESOURCE_TYPE_BLUEPRINTS",
    "RESOURCE_TYPE_SNAPSHOTS",
    "RESOURCE_TYPE_BENCHMARKS",
    "RESOURCE_TYPE_SCENARIOS",
    "RESOURCE_TYPE_AGENTS",
    "RESOURCE_TYPE_OBJECTS",
    "RESOURCE_TYPE_ACCOUNT",
]
AccessLevel = Literal["ACCESS_LEVEL_NONE", "ACCESS_LEVEL_READ", "ACCESS_LEVEL_WRITE"]
ExpiryMs = Annotated[
    int | None,
    Field(ge=1, le=MAX_INT, description="When the key ends, in milliseconds since 1970; never, if it is not given."),
]


class ScopeEntryView(View):
    access_level: AccessLevel | None = None
    resource_type: ResourceType | None = None


class ScopeEntryParams(Params):
    """The level that a key has on one kind of resource. WRITE includes READ."""

    resource_type: ResourceType
    access_level: AccessLevel


class ApikeyCreateParams(Params):
    name: ShortText | None = None
    expires_at_ms: ExpiryMs = None


class RestrictedKeyCreateParams(Params):
    name: ShortText | None = None
    expires_at_ms: ExpiryMs = None
    scopes: Annotated[
        list[ScopeEntryParams] | None,
        Field(max_length=64, description="Each kind of resource once; those left out are NONE."),
    ] = None


class APIKeyCreatedView(View):
    """`key_secret` is shown here and never again."""

    id: str
    name: str | None = None
    expires_at_ms: int | None = None
    key_secret: str


class RestrictedKeyCreatedView(APIKeyCreatedView):
    scopes: list[ScopeEntryView]


class APIKeyView(View):
    """A key as it is listed. `scopes` is null for a standard key, which may do everything."""

    id: str
    name: str | None = None
    scopes: list[ScopeEntryView] | None = None
    of_server: bool = Field(description="Whether it is the server's own key, of the file 'api-key'.")
    made_by: str | None = Field(default=None, description="The key that it was made with.")
    create_time_ms: int
    expires_at_ms: int | None = None
    last_used_ms: int | None = Field(default=None, description="When it was last used, up to a minute late.")


class APIKeyListView(View):
    api_keys: list[APIKeyView]
    has_more: bool
    total_count: int | None = None


class APIKeyRevokedView(View):
    """The keys that are revoked now: the one that was named, and if it was restricted, those made with it."""

    revoked: list[str]


def entries(scopes: Scopes) -> list[ScopeEntryView]:
    """Scopes as the wire has them: the rights there are."""
    stored = scopes.dump()
    return [
        ScopeEntryView(resource_type=each.value, access_level=cast("AccessLevel", stored[each.value]))
        for each in Resource
        if each.value in stored
    ]


def scopes_of(given: list[ScopeEntryParams] | None) -> Scopes | None:
    """The scopes that a request names; None if it names a kind of resource twice."""
    levels = {Resource(one.resource_type): Level.of(one.access_level) for one in given or []}
    return None if len(levels) < len(given or []) else Scopes(levels)


def view(key: ApiKey) -> APIKeyView:
    fields: dict[str, Any] = {name: getattr(key, name) for name in APIKeyView.model_fields if name != "scopes"}
    return APIKeyView(**fields, scopes=None if key.scopes is None else entries(Scopes.load(key.scopes)))
