"""Base classes and types for everything that crosses the wire."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

MAX_INT = 2**63 - 1
"""The greatest integer both databases hold."""


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain NUL characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode") from None
    return text


def _clean_tree(value: Any) -> Any:
    """Check free-form JSON for what a database cannot hold: NUL characters and lone surrogates."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            _storable(item)
        elif isinstance(item, Mapping):
            stack.extend(item.keys())  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
            stack.extend(item.values())  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        elif isinstance(item, list):
            stack.extend(item)  # pyright: ignore[reportUnknownArgumentType]
    return value


Text = Annotated[str, AfterValidator(_storable)]
"""Text that can be stored: any Unicode but NUL."""

ShortText = Annotated[Text, StringConstraints(max_length=1024)]
"""Text for names and the like."""

JsonValue = Annotated[Any, AfterValidator(_clean_tree)]
"""Any JSON value that can be stored."""

StringMap = dict[Text, Text]
"""The wire's metadata and environment variables: names to strings."""


class Params(BaseModel):
    """A request body. Unknown fields are ignored, so that newer clients keep working."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)


class View(BaseModel):
    """A response body."""

    model_config = ConfigDict(from_attributes=True, populate_by_name=True)
