"""What every answer must be like."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

import httpx
from runloop_api_client import APIStatusError

_CODE = re.compile(r"[a-z][a-z_]*[a-z]")


@contextmanager
def case(name: object) -> Generator[None]:
    """Name a case of a test in each failure within."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"in the case {name!r}")
        raise


def assert_error(status: int, answer: httpx.Response) -> None:
    """The answer has this status, and the one shape of all errors."""
    assert answer.status_code == status, answer.text
    assert_error_shape(answer.headers["content-type"], answer.json())


def assert_error_shape(content_type: str, body: Any) -> None:
    """The body is that of an error: code, message, and perhaps the field at fault."""
    assert content_type.startswith("application/json"), body
    assert {"code", "message"} <= body.keys() <= {"code", "message", "field"}, body
    assert _CODE.fullmatch(body["code"]), body
    assert isinstance(body["message"], str)
    assert body["message"]
    assert isinstance(body.get("field", "x"), str), body


def error_of(refused: APIStatusError) -> dict[str, Any]:
    """The body of an answer that the official client raised."""
    body = refused.body
    assert isinstance(body, dict)
    return cast("dict[str, Any]", body)
