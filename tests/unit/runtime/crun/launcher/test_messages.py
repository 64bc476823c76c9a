"""Messages arrive whole, or it is told that they do not; what comes with them is inherited by nobody."""

import json
import os
import socket
from collections.abc import Generator
from pathlib import Path

import pytest

from loopyard.runtime.crun.launcher import messages
from loopyard.runtime.crun.launcher.messages import MessageCut, MessageTooLong, receive, send


@pytest.fixture
def ends() -> Generator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    yield one, other
    one.close()
    other.close()


def test_descriptors_that_are_received_are_not_inherited(ends: tuple[socket.socket, socket.socket]) -> None:
    file = os.memfd_create("secret")
    os.set_inheritable(file, True)
    send(ends[0], {"number": 1}, [file])
    message, descriptors = receive(ends[1])
    assert message == {"number": 1}
    assert [os.get_inheritable(one) for one in descriptors] == [False]
    for one in (file, *descriptors):
        os.close(one)


def test_a_request_that_is_too_long_is_refused_by_its_name(ends: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(MessageTooLong, match=r"the request restore has .* bytes"):
        send(ends[0], {"number": 1, "act": "restore", "paths": ["/p"] * 20_000})
    ends[1].setblocking(False)
    with pytest.raises(BlockingIOError):
        receive(ends[1])


def test_the_longest_that_is_sent_arrives(ends: tuple[socket.socket, socket.socket]) -> None:
    rest = messages.MESSAGE_BYTES - len(json.dumps({"text": ""}))
    send(ends[0], {"text": "x" * rest})
    message, _ = receive(ends[1])
    assert message == {"text": "x" * rest}
    with pytest.raises(MessageTooLong):
        send(ends[0], {"text": "x" * (rest + 1)})


def test_a_message_that_was_cut_is_told_with_its_number(ends: tuple[socket.socket, socket.socket]) -> None:
    ends[0].send(json.dumps({"number": 77, "act": "execute", "text": "x" * messages.MESSAGE_BYTES}).encode())
    with pytest.raises(MessageCut) as cut:
        receive(ends[1])
    assert cut.value.number == 77
    send(ends[0], {"number": 78})
    assert receive(ends[1]) == ({"number": 78}, [])


def test_descriptors_that_were_cut_off_are_told_and_none_stays_open(ends: tuple[socket.socket, socket.socket]) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    more = [os.open(os.devnull, os.O_RDONLY) for _ in range(messages.MOST_DESCRIPTORS + 4)]
    socket.send_fds(ends[0], [b'{"number": 5}'], more)
    for one in more:
        os.close(one)
    with pytest.raises(MessageCut):
        receive(ends[1])
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("junk", [b"{", b"\xff\xfe", b"[1,"])
def test_junk_is_an_error_and_the_next_message_arrives(ends: tuple[socket.socket, socket.socket], junk: bytes) -> None:
    ends[0].send(junk)
    with pytest.raises(ValueError, match=r"."):
        receive(ends[1])
    send(ends[0], {"number": 1})
    assert receive(ends[1])[0] == {"number": 1}
