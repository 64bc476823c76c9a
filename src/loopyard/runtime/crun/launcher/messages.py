"""Messages between the server, the launcher, its workers and their helpers: JSON and descriptors, one packet each."""

import json
import os
import re
import socket
import struct
from collections.abc import Sequence
from typing import Any

from loopyard.runtime.crun.launcher.requests import fields_of

MESSAGE_BYTES = 1 << 16
"""The longest message, in bytes."""

MOST_DESCRIPTORS = 6
"""How many descriptors come with one message at most."""

_NUMBER = re.compile(rb'"number": (\d+)')
_CUT = int(socket.MSG_TRUNC | socket.MSG_CTRUNC)


class MessageTooLong(ValueError):
    """A message was not sent, since it does not fit; the text says of which kind it is and how long."""


class MessageCut(ValueError):
    """A message did not arrive whole. `number` is the request's, if that can be told."""

    def __init__(self, head: bytes) -> None:
        super().__init__("a message did not arrive whole")
        found = _NUMBER.search(head)
        self.number = None if found is None else int(found[1])


_ENCODER = json.JSONEncoder(default=fields_of)


def send(channel: socket.socket, content: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
    """Send a message. Its values may be classes of the schema.

    Raises:
        MessageTooLong: It does not fit.
        BlockingIOError: The channel is full, and does not wait.
        OSError: Nobody is at its other end.
    """
    message = _ENCODER.encode(content).encode()
    if len(message) > MESSAGE_BYTES or len(descriptors) > MOST_DESCRIPTORS:
        kind = f"the request {content['act']}" if "act" in content else "the answer"
        raise MessageTooLong(
            f"{kind} has {len(message)} bytes and {len(descriptors)} descriptors, "
            f"more than {MESSAGE_BYTES} and {MOST_DESCRIPTORS}"
        )
    socket.send_fds(channel, [message], descriptors)


def receive_with_descriptors(channel: socket.socket, most_bytes: int, most: int) -> tuple[bytes, list[int], int]:
    """Bytes, the descriptors that come with them, which no program that is started inherits, and the flags of recvmsg.
    `socket.recv_fds` takes no flags, though it has a parameter for them.

    Raises:
        BlockingIOError: There is nothing, and the channel does not wait.
        OSError: The channel is broken.
    """
    room = socket.CMSG_LEN(most * struct.calcsize("i"))
    data, ancillary, flags, _ = channel.recvmsg(most_bytes, room, socket.MSG_CMSG_CLOEXEC)
    descriptors: list[int] = []
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            count = len(content) // struct.calcsize("i")
            descriptors += struct.unpack_from(f"{count}i", content)
    return data, descriptors, flags


def receive(channel: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """The next message, None at the end, and its descriptors, which no program that is started inherits.

    Raises:
        MessageCut: It did not arrive whole; its descriptors are closed.
        BlockingIOError: There is none, and the channel does not wait.
        OSError: The channel is broken.
        ValueError: It is not JSON; its descriptors are closed.
    """
    message, descriptors, flags = receive_with_descriptors(channel, MESSAGE_BYTES, MOST_DESCRIPTORS)
    if not message:
        return None, descriptors
    try:
        if flags & _CUT:
            raise MessageCut(message)
        return json.loads(message), descriptors
    except ValueError:
        for descriptor in descriptors:
            os.close(descriptor)
        raise
