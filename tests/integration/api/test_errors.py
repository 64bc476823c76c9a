"""Every operation refuses strangers, unknown ids and nonsense, with the right status and the one shape of errors."""

from typing import Any

import httpx
import pytest

from loopyard.kit.ids import new_id
from tests.integration.api.answers import assert_error
from tests.integration.api.resources import OPERATIONS, Operation, Resources, smallest_body

every_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=str)
with_id = pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.places], ids=str)
with_body = pytest.mark.parametrize(
    "operation",
    [each for each in OPERATIONS if "application/json" in each.description.get("requestBody", {}).get("content", {})],
    ids=str,
)


def filled(operation: Operation, known: Resources) -> str:
    """The operation's path, with ids of what is there."""
    given = {name: (known.of(operation.path, name) or ["unknown"])[0] for name in operation.places}
    return operation.at(**given)


@pytest.mark.semantic
@every_operation
@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Bearer", "Basic eDp5", "Bearer \xff"])
def test_without_the_key_nothing_is_told(
    operation: Operation, authorization: str | None, known: Resources, http: httpx.Client
) -> None:
    headers = [] if authorization is None else [(b"Authorization", authorization.encode("latin-1"))]
    with httpx.Client(base_url=http.base_url, headers=headers) as stranger:
        answer = stranger.request(operation.method, filled(operation, known), **smallest_body(operation))
    assert_error(401, answer)
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.semantic
@with_id
@pytest.mark.parametrize(
    "unknown",
    [
        pytest.param(new_id("dbx"), id="devbox"),
        pytest.param(new_id("scr"), id="run"),
        "unknown",
        "x" * 1000,
        "%00",
        "%ff",
        "ü",
    ],
)
def test_unknown_ids_are_not_found(operation: Operation, unknown: str, known: Resources, http: httpx.Client) -> None:
    for name in operation.places:
        others = {place: (known.of(operation.path, place) or ["unknown"])[0] for place in operation.places}
        path = operation.at(**{**others, name: unknown})
        assert_error(404, http.request(operation.method, path, **smallest_body(operation)))


@pytest.mark.semantic
@with_body
@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe",
        b'{"a": \xff}',
        b"null",
        b"[]",
        b'"text"',
        b"1",
        b"[" * 100_000,
        b'{"a":' * 50_000,
    ],
    ids=["cut off", "not UTF-8", "not UTF-8 inside", "null", "list", "text", "number", "deep", "deeper"],
)
def test_bodies_that_are_not_the_objects_asked_for_are_bad_requests(
    operation: Operation, body: bytes, known: Resources, http: httpx.Client
) -> None:
    answer = http.request(
        operation.method, filled(operation, known), content=body, headers={"Content-Type": "application/json"}
    )
    if body == b"null" and not operation.description["requestBody"].get("required"):
        return
    assert_error(400, answer)


@pytest.mark.semantic
@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("GET", "/v1"), ("POST", "/v1/nothing"), ("GET", "/docs")])
def test_paths_that_lead_nowhere_are_not_found(method: str, path: str, http: httpx.Client) -> None:
    assert_error(404, http.request(method, path))


@pytest.mark.semantic
@every_operation
def test_other_methods_are_told_so(operation: Operation, known: Resources, http: httpx.Client) -> None:
    answer = http.request("PUT", filled(operation, known))
    assert_error(405, answer)
    assert answer.headers["allow"]


LISTS = [each for each in OPERATIONS if any(part["name"] == "limit" for part in each.description.get("parameters", []))]


@pytest.mark.semantic
@pytest.mark.parametrize("operation", LISTS, ids=str)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", 0),
        ("limit", -1),
        ("limit", 5001),
        ("limit", 10**30),
        ("limit", "many"),
        ("limit", ""),
        ("limit", "1.5"),
        ("starting_after", "nothing"),
        ("starting_after", ""),
        ("starting_after", "\x00"),
        ("include_total_count", "perhaps"),
    ],
)
def test_lists_refuse_bad_pages_and_name_the_parameter(
    operation: Operation, name: str, value: Any, known: Resources, http: httpx.Client
) -> None:
    if name not in {parameter["name"] for parameter in operation.description["parameters"]}:
        pytest.skip("it has no such parameter")
    answer = http.get(filled(operation, known), params={name: value})
    assert_error(400, answer)
    assert answer.json()["field"] == name
