"""The server and the launcher share one schema: what one end writes the other reads, and nothing else is taken."""

import dataclasses
import json
import socket
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from loopyard.runtime.crun.launcher.messages import receive, send
from loopyard.runtime.crun.launcher.requests import REQUESTS, JoinTarget, Request, fields_of, read_request

_VALUES: dict[Any, Any] = {
    int: 7,
    float: 0.5,
    str: "text",
    bool: True,
    JoinTarget: JoinTarget(1, 2, "state", "/cgroup", 3, 4),
}


def _value(kind: Any) -> Any:
    """Some value of a type that the schema uses."""
    if kind in _VALUES:
        return _VALUES[kind]
    origin = typing.get_origin(kind)
    if origin in (list, Sequence):
        return [_value(typing.get_args(kind)[0])]
    if origin is Mapping:
        key, value = typing.get_args(kind)
        return {_value(key): _value(value)}
    return _value(typing.get_args(kind)[0])  # it may be None, too


def _request(kind: type[Request[Any]]) -> Request[Any]:
    types = typing.get_type_hints(kind)
    return kind(**{one.name: _value(types[one.name]) for one in dataclasses.fields(kind)})


@pytest.mark.parametrize("act", REQUESTS)
def test_a_request_arrives_as_it_was_sent(act: str) -> None:
    request = _request(REQUESTS[act])
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one, other:
        send(one, {"number": 1, "act": request.act, "arguments": fields_of(request)})
        message, _ = receive(other)
    assert message is not None
    assert read_request(message["act"], message["arguments"]) == request


@pytest.mark.parametrize("act", REQUESTS)
def test_an_argument_that_is_missing_or_unknown_is_refused(act: str) -> None:
    arguments: dict[str, Any] = json.loads(json.dumps(fields_of(_request(REQUESTS[act])), default=fields_of))
    with pytest.raises(TypeError, match="unexpected keyword argument 'more'"):
        read_request(act, {**json.loads(json.dumps(arguments)), "more": 1})
    arguments.popitem()
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        read_request(act, arguments)


def test_an_act_that_is_not_known_is_refused() -> None:
    with pytest.raises(KeyError):
        read_request("no such act", {})
