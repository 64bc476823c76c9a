"""Every operation refuses strangers, unknown ids and nonsense, with the right status and the one shape of errors."""

import httpx
import pytest

from loopyard.kit.ids import new_id
from tests.integration.api.answers import assert_error, case
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


AUTHORIZATIONS = (None, "Bearer wrong", "Bearer", "Basic eDp5", "Bearer \xff")
UNKNOWN = (new_id("dbx"), new_id("scr"), "unknown", "x" * 1000, "%00", "%ff", "ü")
NO_OBJECTS = {
    "cut off": b"{",
    "not UTF-8": b"\xff\xfe",
    "not UTF-8 inside": b'{"a": \xff}',
    "null": b"null",
    "list": b"[]",
    "text": b'"text"',
    "number": b"1",
    "deep": b"[" * 100_000,
    "deeper": b'{"a":' * 50_000,
}


@pytest.mark.semantic
@every_operation
def test_without_the_key_nothing_is_told(operation: Operation, known: Resources, http: httpx.Client) -> None:
    with httpx.Client(base_url=http.base_url) as stranger:
        for authorization in AUTHORIZATIONS:
            headers = [] if authorization is None else [(b"Authorization", authorization.encode("latin-1"))]
            with case(authorization):
                answer = stranger.request(
                    operation.method, filled(operation, known), headers=headers, **smallest_body(operation)
                )
                assert_error(401, answer)
                assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.semantic
@with_id
def test_unknown_ids_are_not_found(operation: Operation, known: Resources, http: httpx.Client) -> None:
    others = {place: (known.of(operation.path, place) or ["unknown"])[0] for place in operation.places}
    for name in operation.places:
        for unknown in UNKNOWN:
            path = operation.at(**{**others, name: unknown})
            with case((name, unknown)):
                assert_error(404, http.request(operation.method, path, **smallest_body(operation)))


@pytest.mark.semantic
@with_body
def test_bodies_that_are_not_the_objects_asked_for_are_bad_requests(
    operation: Operation, known: Resources, http: httpx.Client
) -> None:
    path, headers = filled(operation, known), {"Content-Type": "application/json"}
    for name, body in NO_OBJECTS.items():
        with case(name):
            answer = http.request(operation.method, path, content=body, headers=headers)
            if name != "null" or operation.description["requestBody"].get("required"):
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


BAD_PAGES = (
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
)


@pytest.mark.semantic
@pytest.mark.parametrize("operation", LISTS, ids=str)
def test_lists_refuse_bad_pages_and_name_the_parameter(
    operation: Operation, known: Resources, http: httpx.Client
) -> None:
    names = {parameter["name"] for parameter in operation.description["parameters"]}
    for name, value in BAD_PAGES:
        if name in names:
            with case((name, value)):
                answer = http.get(filled(operation, known), params={name: value})
                assert_error(400, answer)
                assert answer.json()["field"] == name
