"""The wire's words for secrets. No view has a value."""

from typing import Annotated

from pydantic import AfterValidator, SecretStr, StringConstraints

from loopyard.kit.http.wire import Params, Text, View

MAX_VALUE_BYTES = 64 * 1024
"""Limit on a value, in bytes of UTF-8: 64 KiB. The kernel takes no environment variable over 128 KiB."""


def _fits(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if "\x00" in text:
        raise ValueError("must not contain NUL characters")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode") from None
    if not 1 <= size <= MAX_VALUE_BYTES:
        raise ValueError("must have 1 to 65,536 bytes")
    return value


SecretName = Annotated[Text, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$", max_length=255)]
"""A label. What a devbox's variable is called is said where the secret is asked for."""
SecretValue = Annotated[SecretStr, AfterValidator(_fits)]


class SecretUpdateParams(Params):
    value: SecretValue


class SecretCreateParams(SecretUpdateParams):
    name: SecretName


class SecretView(View):
    id: str
    create_time_ms: int
    name: str
    update_time_ms: int


class SecretListView(View):
    secrets: list[SecretView]
    has_more: bool
    total_count: int | None = None
