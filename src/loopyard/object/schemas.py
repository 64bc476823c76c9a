"""The wire's words for objects."""

from typing import Annotated

from pydantic import Field, StringConstraints

from loopyard.kit.http.wire import Params, StringMap, Text, View
from loopyard.object.states import ContentType, StateName

MAX_TTL_MS = 100 * 365 * 24 * 3600 * 1000
MAX_DURATION_SECONDS = 7 * 24 * 3600
DEFAULT_DURATION_SECONDS = 3600


class ObjectCreateParams(Params):
    content_type: ContentType
    name: Annotated[Text, StringConstraints(min_length=1, max_length=1024)]
    metadata: StringMap | None = None
    ttl_ms: Annotated[int, Field(ge=1, le=MAX_TTL_MS)] | None = None


class ObjectView(View):
    id: str
    content_type: ContentType
    create_time_ms: int
    name: str
    state: StateName
    delete_after_time_ms: int | None = None
    metadata: dict[str, str] | None = Field(default=None, validation_alias="metadata_", serialization_alias="metadata")
    size_bytes: int | None = None
    upload_url: str | None = None
    """Only in the answer to its creation."""


class ObjectListView(View):
    objects: list[ObjectView]
    has_more: bool
    total_count: int | None = None


class ObjectDownloadURLView(View):
    download_url: str
