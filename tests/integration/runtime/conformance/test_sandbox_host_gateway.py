"""The gateway of the host, where the provider has one."""

import asyncio
import socket

import pytest

from loopyard.runtime.errors import NotSupported
from loopyard.runtime.host_gateway import HasHostGateway
from loopyard.runtime.protocol import NetworkPolicy, Runtime
from tests.integration.runtime.box import Box, MakeBox

pytestmark = pytest.mark.anyio

_TALK = """
import socket, sys
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
connection.sendall(b"hello")
print(connection.recv(100).decode(), flush=True)
try:
    while data := connection.recv(100):
        print(data.decode(), flush=True)
    print("ended", flush=True)
except OSError as error:
    print("cut off", flush=True)
"""


@pytest.fixture
def gateway(runtime: Runtime) -> HasHostGateway:
    """The provider as one that has a gateway."""
    if not isinstance(runtime, HasHostGateway):
        pytest.skip(f"the {runtime.name} provider has no gateway")
    return runtime


async def _answer(gateway: HasHostGateway, listener: socket.socket) -> tuple[socket.socket, str | None]:
    """Take one connection and answer it with the id of the sandbox that it comes from."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(60):
        connection, (address, _) = await loop.sock_accept(listener)
        assert await loop.sock_recv(connection, 100) == b"hello"
        found = gateway.sandbox_at(address)
        await loop.sock_sendall(connection, str(found).encode())
    return connection, found


async def _talk(gateway: HasHostGateway, box: Box) -> str:
    to = gateway.gateway_address
    return await box.start("python3", "-u", "-c", _TALK, to.host, str(to.port))


async def test_connections_name_their_sandbox(gateway: HasHostGateway, make_box: MakeBox) -> None:
    with gateway.gateway_socket() as listener:
        for policy in (None, NetworkPolicy(gateway=True), NetworkPolicy(allow_all=True)):
            box = await make_box(network_policy=policy)
            command_id = await _talk(gateway, box)
            connection, found = await _answer(gateway, listener)
            assert found == box.id
            connection.close()
            await box.until_said(command_id, b"ended")


async def test_a_policy_without_it_closes_it(gateway: HasHostGateway, make_box: MakeBox) -> None:
    box = await make_box(network_policy=NetworkPolicy(hostnames=("example.org",)))
    to = gateway.gateway_address
    refused = await box.run("python3", "-c", _TALK, to.host, str(to.port))
    assert b"ConnectionRefusedError" in refused.stderr


async def test_a_policy_that_closes_it_ends_what_is_open(gateway: HasHostGateway, make_box: MakeBox) -> None:
    box = await make_box(network_policy=NetworkPolicy(gateway=True))
    with gateway.gateway_socket() as listener:
        command_id = await _talk(gateway, box)
        connection, _ = await _answer(gateway, listener)
        await box.until_said(command_id, box.id.encode())
        await box.runtime.set_network_policy(box.id, NetworkPolicy())
        loop = asyncio.get_running_loop()
        with connection:
            for _ in range(5):
                await loop.sock_sendall(connection, b"secret")
            to = gateway.gateway_address
            assert (await box.run("python3", "-c", _TALK, to.host, str(to.port))).status == 1
            assert b"secret" not in await box.output(command_id, "stdout")


async def test_nobody_else_reaches_its_socket(gateway: HasHostGateway, make_box: MakeBox) -> None:
    box = await make_box()
    with gateway.gateway_socket() as listener:
        port: int = listener.getsockname()[1]
        with socket.socket() as stranger:
            stranger.setblocking(False)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await asyncio.get_running_loop().sock_connect(stranger, ("127.0.0.1", port))
        assert gateway.sandbox_at("127.0.0.1") is None
        assert (await box.run("python3", "-c", _TALK, gateway.gateway_address.host, str(port))).status == 1


async def test_a_provider_without_it_refuses_its_policies(runtime: Runtime, make_box: MakeBox) -> None:
    if isinstance(runtime, HasHostGateway):
        return
    box = await make_box()
    with pytest.raises(NotSupported):
        await runtime.set_network_policy(box.id, NetworkPolicy(gateway=True))
