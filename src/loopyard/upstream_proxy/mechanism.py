"""How a credential is put on what goes upstream, as the wire says it."""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from loopyard.kit.http.wire import Params, Text, View
from loopyard.upstream_proxy.hop import is_own

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}")
_VALUE = re.compile(r"[\x21-\x7e\x80-\xff]([\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?|")

MAX_CUSTOM_HEADERS = 8


class CredentialUnfit(Exception):
    """The secret's value cannot be sent as the mechanism says; the message tells why, never the value."""


def _header_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("must be the name of an HTTP header, such as x-api-key")
    if is_own(name.lower()):
        raise ValueError(f"{name} is set by the gateway itself")
    return name


def _header_value(value: str) -> str:
    if not _is_value(value):
        raise ValueError("must be the value of an HTTP header: one line of text, without spaces at its ends")
    return value


HeaderName = Annotated[Text, AfterValidator(_header_name)]
HeaderValue = Annotated[Text, StringConstraints(max_length=8192), AfterValidator(_header_value)]


class AuthMechanismParams(Params):
    """`header`: the secret is the value of the header `key`. `bearer`: it is a bearer token. `basic`: it is
    `user:password`, which the gateway encodes."""

    type: Literal["header", "bearer", "basic"]
    key: HeaderName | None = None

    @model_validator(mode="after")
    def _key_fits(self) -> "AuthMechanismParams":
        if (self.type == "header") != (self.key is not None):
            raise ValueError("key is the header's name: needed for type header, and for no other")
        return self


class AuthMechanismView(View):
    type: Literal["header", "bearer", "basic"]
    key: str | None = None


class CustomHeaderParams(Params):
    """A header that is set besides: to a literal value, which is stored and shown as it is, or to a secret."""

    name: HeaderName
    secret: Text | None = None
    value: HeaderValue | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "CustomHeaderParams":
        if (self.secret is None) == (self.value is None):
            raise ValueError("give either secret or value")
        return self


class CustomHeaderView(View):
    name: str
    secret: str | None = None
    value: str | None = None


def _distinct(headers: list[CustomHeaderParams]) -> list[CustomHeaderParams]:
    names = [header.name.lower() for header in headers]
    if len(set(names)) < len(names):
        raise ValueError("must not name a header twice")
    return headers


CustomHeaders = Annotated[list[CustomHeaderParams], Field(max_length=MAX_CUSTOM_HEADERS), AfterValidator(_distinct)]


def secret_ids(custom_headers: Sequence[Mapping[str, Any]]) -> list[str]:
    """The ids of the secrets that custom headers, as rows have them, are set to."""
    return [header["secret"] for header in custom_headers if header.get("secret")]


def credential_headers(
    mechanism: Mapping[str, Any],
    custom_headers: Sequence[Mapping[str, Any]],
    secret: str,
    values: Mapping[str, str],
) -> list[tuple[str, str]]:
    """The header fields to set, in order; each takes the place of all that the caller sent under its name.

    Args:
        mechanism, custom_headers: As rows have them.
        secret: The credential.
        values: The values of the custom headers' secrets, by id.

    Raises:
        CredentialUnfit: A secret cannot be sent in a header.
    """
    fields = dict[str, tuple[str, str]]()
    name, value = _credential(mechanism, secret)
    fields[name.lower()] = name, value
    for header in custom_headers:
        fields[header["name"].lower()] = header["name"], header.get("value") or values[header["secret"]]
    for name, value in fields.values():
        if not _is_value(value):
            raise CredentialUnfit(f"The secret for the header {name} has characters that no header can have.")
    return list(fields.values())


def _credential(mechanism: Mapping[str, Any], secret: str) -> tuple[str, str]:
    match mechanism["type"]:
        case "header":
            return mechanism["key"], secret
        case "basic":
            return "Authorization", f"Basic {base64.b64encode(secret.encode()).decode()}"
        case _:
            return "Authorization", f"Bearer {secret}"


def _is_value(value: str) -> bool:
    return _VALUE.fullmatch(value) is not None
