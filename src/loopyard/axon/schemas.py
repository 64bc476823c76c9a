"""Wire forms of axons."""

from pydantic import Field

from loopyard.kit.http.wire import Params, ShortText, StringMap, View


class AxonUpdateParams(Params):
    """New metadata in place of all that there was; null leaves it as it is."""

    metadata: StringMap | None = None


class AxonCreateParams(AxonUpdateParams):
    name: ShortText | None = None


class AxonView(View):
    id: str
    created_at_ms: int
    metadata: dict[str, str] = Field(validation_alias="metadata_")
    name: str | None = None


class AxonListView(View):
    axons: list[AxonView]
    has_more: bool
    total_count: int | None = None
