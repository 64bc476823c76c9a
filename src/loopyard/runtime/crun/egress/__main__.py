"""Decides on the sandboxes' way out, beside the server: `python -m loopyard.runtime.crun.egress DESCRIPTOR`.

The descriptor is a socket. The first line that comes says for whom it works and which policies are in force; each line
after that changes one. Each is answered by one line; lines between the answers tell what was refused by name. It ends
when the other end is closed.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
from typing import Any

import uvloop

from loopyard.runtime.crun.egress.client import LINE_BYTES, POLICY
from loopyard.runtime.crun.egress.daemon import EgressDaemon
from loopyard.runtime.crun.egress.nft import RulesRefused
from loopyard.runtime.crun.host.instance import Instance
from loopyard.runtime.errors import RuntimeFault

log = logging.getLogger("loopyard.runtime.network")

_MOST_UNREAD = 1 << 20
_NICENESS = 5
"""Sandboxes can give this as much to do as a processor can: the server goes first."""


async def _serve(descriptor: int) -> None:
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=descriptor), limit=LINE_BYTES)
    told: dict[str, Any] = json.loads(await reader.readline())
    logging.getLogger().setLevel(told["log_level"])
    gate = None
    try:
        gate = EgressDaemon(
            Instance(told["block"], told["network"]),
            told["mirrors"],
            told["host_ports"],
            told["gateway"],
            open_seconds=told["open_seconds"],
            refused=lambda sandbox_address, message: _tell(writer, sandbox_address, message),
        )
        policies = {int(slot): POLICY.validate_python(policy) for slot, policy in told["policies"].items()}
        await gate.open({slot: policy for slot, policy in policies.items() if policy is not None})
    except (RuntimeFault, OSError) as error:
        _answer(writer, fault=str(error))
    else:
        _answer(writer, fault=None)
        while line := await _line(reader):
            change: dict[str, Any] = json.loads(line)
            fault = None
            try:
                await gate.apply(change["slot"], POLICY.validate_python(change["policy"]))
            except RulesRefused as error:
                fault = str(error)
            except Exception as error:  # one policy must not take down what all others need
                log.exception("the policy of slot %s could not be applied", change["slot"])
                fault = repr(error)
            _answer(writer, number=change["number"], fault=fault)
    with contextlib.suppress(OSError):
        await writer.drain()
    os._exit(0)  # the server is gone, and with it whoever would want more of this


async def _line(reader: asyncio.StreamReader) -> bytes:
    """The next line; empty at the end."""
    try:
        return await reader.readline()
    except OSError:
        return b""


def _tell(writer: asyncio.StreamWriter, sandbox_address: str, message: str) -> None:
    """Say what was refused, unless the server is behind with reading: that is no reason to hold it all."""
    if writer.transport.get_write_buffer_size() < _MOST_UNREAD:
        _answer(writer, refused=sandbox_address, message=message)


def _answer(writer: asyncio.StreamWriter, **answer: object) -> None:
    writer.write(json.dumps(answer).encode() + b"\n")


def main() -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICENESS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(int(sys.argv[1])))


if __name__ == "__main__":
    main()
