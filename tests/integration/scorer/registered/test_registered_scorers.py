"""Registered scorers through the official client."""

import uuid

import pytest
from runloop_api_client import BadRequestError, NotFoundError, Runloop


def _type() -> str:
    return f"Grader {uuid.uuid4().hex}"


@pytest.mark.semantic
def test_what_is_registered_is_found_and_replaced(client: Runloop) -> None:
    name = _type()
    made = client.scenarios.scorers.create(type=name, bash_script="echo score=1")
    assert client.scenarios.scorers.retrieve(made.id).to_dict() == made.to_dict()
    changed = client.scenarios.scorers.update(made.id, type=name + "!", bash_script="echo score=0")
    assert (changed.id, changed.type, changed.bash_script) == (made.id, name + "!", "echo score=0")
    for search in (name.upper(), made.id, made.id[:20]):
        assert made.id in [found.id for found in client.scenarios.scorers.list(search=search)]
    page = client.scenarios.scorers.list(search=name, limit=1)
    assert ([found.id for found in page.scorers], page.has_more, page.total_count) == ([made.id], False, 1)


@pytest.mark.semantic
def test_a_type_is_registered_once(client: Runloop) -> None:
    name, other = _type(), _type()
    client.scenarios.scorers.create(type=name, bash_script="x")
    second = client.scenarios.scorers.create(type=other, bash_script="x")
    with pytest.raises(BadRequestError):
        client.scenarios.scorers.create(type=name, bash_script="y")
    with pytest.raises(BadRequestError):
        client.scenarios.scorers.update(second.id, type=name, bash_script="y")
    assert client.scenarios.scorers.update(second.id, type=other, bash_script="z").bash_script == "z"


@pytest.mark.semantic
def test_a_repeated_request_registers_one(client: Runloop) -> None:
    headers = {"x-request-id": uuid.uuid4().hex}
    name = _type()
    made = {client.scenarios.scorers.create(type=name, bash_script="x", extra_headers=headers).id for _ in range(3)}
    assert len(made) == 1
    assert made.pop().startswith("scs_")


@pytest.mark.semantic
def test_bad_input_and_unknown_ids(client: Runloop) -> None:
    for scorer_type, script in ((" ", "x"), ("a", ""), ("a" * 256, "x"), ("a", "\x00")):
        with pytest.raises(BadRequestError):
            client.scenarios.scorers.create(type=scorer_type, bash_script=script)
    with pytest.raises(NotFoundError):
        client.scenarios.scorers.retrieve("sco_none")
    with pytest.raises(NotFoundError):
        client.scenarios.scorers.update("sco_none", type=_type(), bash_script="x")
