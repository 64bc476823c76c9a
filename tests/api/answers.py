"""What every answer must be like."""

import re

import httpx
import requests

_CODE = re.compile(r"[a-z][a-z_]*[a-z]")


def assert_error(status: int, answer: httpx.Response | requests.Response) -> None:
    """The answer has this status, and the one shape of all errors."""
    assert answer.status_code == status, answer.text
    assert_error_shape(answer)


def assert_error_shape(answer: httpx.Response | requests.Response) -> None:
    assert answer.headers["content-type"].startswith("application/json"), answer.text
    body = answer.json()
    assert {"code", "message"} <= body.keys() <= {"code", "message", "field"}, body
    assert _CODE.fullmatch(body["code"]), body
    assert isinstance(body["message"], str)
    assert body["message"]
    assert isinstance(body.get("field", "x"), str), body
