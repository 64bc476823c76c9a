"""The process that decides on the way out, killed and misled. This file is also the program that tries it."""

import asyncio
import subprocess
import sys

import psutil
import pytest

from loopyard.runtime.crun.egress.client import EgressClient
from loopyard.runtime.crun.egress.nft import RulesRefused
from loopyard.runtime.crun.host.instance import Instance
from loopyard.runtime.protocol import AllowedNetwork, NetworkPolicy

INSTANCE = Instance(31, "10.231.0.0/16")


def test_what_was_decided_is_in_force_whenever_it_is_killed() -> None:
    done = subprocess.run(["unshare", "--net", sys.executable, __file__], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _in_force() -> set[int]:
    """The slots that have a policy."""
    command = ["nft", "list", "map", "inet", INSTANCE.table, "policies"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {slot for slot in range(50) if f"{INSTANCE.addresses(slot)[1]} : goto" in printed}


def _kill() -> None:
    (process,) = psutil.Process().children()
    process.kill()


async def _try() -> None:
    named = NetworkPolicy(hostnames=("a.test",))
    way_out = EgressClient(INSTANCE, [], [], 0, open_seconds=60, refused=lambda _address, _message: None)
    await way_out.open({1: named, 2: None})
    assert _in_force() == {1}
    await way_out.apply(2, NetworkPolicy())
    await way_out.apply(3, None)
    assert _in_force() == {1, 2}

    _kill()
    await way_out.apply(4, NetworkPolicy(networks=(AllowedNetwork("198.51.100.0/24"),)))
    assert _in_force() == {1, 2, 4}

    many = [asyncio.create_task(way_out.apply(slot, named)) for slot in range(10, 40)]
    await asyncio.sleep(0)
    _kill()
    await asyncio.gather(*many)
    assert _in_force() == {1, 2, 4, *range(10, 40)}

    _kill()
    await way_out.apply(1, None)
    assert _in_force() == {2, 4, *range(10, 40)}

    with pytest.raises(RulesRefused):
        await way_out.apply(2, NetworkPolicy(networks=(AllowedNetwork("no network"),)))
    await way_out.apply(5, NetworkPolicy())
    assert _in_force() == {2, 4, 5, *range(10, 40)}, "one that is wrong does no harm to the others"
    await way_out.close()
    assert _in_force() == {2, 4, 5, *range(10, 40)}, "the rules stay"
    assert not psutil.Process().children()


if __name__ == "__main__":
    asyncio.run(_try())
