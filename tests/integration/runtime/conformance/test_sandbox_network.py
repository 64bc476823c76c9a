"""The way out, and the ports inside."""

import asyncio
import socket

import pytest

from loopyard.runtime.errors import NotSupported, PortClosed, PortTaken
from loopyard.runtime.protocol import Runtime
from tests.integration.runtime.box import ROOT, Box, MakeBox

pytestmark = pytest.mark.anyio

_ECHO = """
import socket, threading
server = socket.create_server(("127.0.0.1", {port}))
print("ready", flush=True)
def serve(connection):
    while data := connection.recv(65536):
        connection.sendall(data.upper())
    connection.sendall(b"<end>")
    connection.close()
while True:
    threading.Thread(target=serve, args=(server.accept()[0],)).start()
"""


async def _echo(box: Box, port: int) -> None:
    command_id = await box.start("python3", "-c", _ECHO.format(port=port))
    await box.until_said(command_id, b"ready")


async def _all(connection: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    parts: list[bytes] = []
    while part := await loop.sock_recv(connection, 65536):
        parts.append(part)
    return b"".join(parts)


async def test_a_small_package_can_be_installed(box: Box) -> None:
    await box.sure("apt-get update && apt-get install -y --no-install-recommends tree", user=ROOT)
    assert "home" in await box.sure("tree -L 1 /")


async def test_names_are_resolved_and_the_package_index_is_reached(box: Box) -> None:
    await box.sure(
        "python3 -m pip download --no-deps --no-binary :none: -d /tmp/wheels six && ls /tmp/wheels | grep six"
    )


async def test_loopback_is_the_sandboxes_own(make_box: MakeBox) -> None:
    one, two = await make_box(), await make_box()
    await _echo(one, 4321)
    ran = await two.shell("exec 3<>/dev/tcp/127.0.0.1/4321")
    assert ran.status != 0


async def test_the_metadata_address_is_not_reached(runtime: Runtime, box: Box) -> None:
    if not runtime.features.metadata_closed:
        pytest.skip("this provider leaves it to the host's firewall")
    ran = await box.shell("timeout 3 bash -c 'exec 3<>/dev/tcp/169.254.169.254/80'")
    assert ran.status != 0


async def test_a_port_of_the_loopback_address_is_reached_from_outside(box: Box) -> None:
    await _echo(box, 8080)
    with await box.runtime.connect(box.id, 8080) as connection:
        assert connection.getblocking() is False
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(connection, b"hello")
        async with asyncio.timeout(60):
            assert await loop.sock_recv(connection, 100) == b"HELLO"
            connection.shutdown(socket.SHUT_WR)
            assert await _all(connection) == b"<end>"


async def test_much_goes_through_a_connection_both_ways(box: Box) -> None:
    await _echo(box, 8080)
    sent = b"abcdefgh" * (1 << 20)
    with await box.runtime.connect(box.id, 8080) as connection:
        loop = asyncio.get_running_loop()

        async def send() -> None:
            await loop.sock_sendall(connection, sent)
            connection.shutdown(socket.SHUT_WR)

        async with asyncio.timeout(60):
            _, received = await asyncio.gather(send(), _all(connection))
    assert received == sent.upper() + b"<end>"


async def test_many_connections_at_once(box: Box) -> None:
    await _echo(box, 9000)

    async def one(number: int) -> bytes:
        with await box.runtime.connect(box.id, 9000) as connection:
            await asyncio.get_running_loop().sock_sendall(connection, f"n{number}".encode())
            connection.shutdown(socket.SHUT_WR)
            return await _all(connection)

    async with asyncio.timeout(60):
        answers = await asyncio.gather(*(one(number) for number in range(12)))
    assert answers == [f"N{number}<end>".encode() for number in range(12)]


@pytest.mark.semantic
async def test_a_port_where_nothing_listens_is_told(box: Box) -> None:
    with pytest.raises(PortClosed):
        await box.runtime.connect(box.id, 8081)
    assert await box.sure("echo works") == "works"


async def test_a_port_inside_can_be_listened_on_from_outside(box: Box) -> None:
    try:
        listener = await box.runtime.listen(box.id, 0)
    except NotSupported as fault:
        pytest.skip(str(fault))
    with listener:
        assert listener.getblocking() is False
        port = listener.getsockname()[1]
        command_id = await box.start("bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}; echo hello >&3; cat <&3")
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(60):
            connection, _ = await loop.sock_accept(listener)
        with connection:
            assert await loop.sock_recv(connection, 100) == b"hello\n"
            await loop.sock_sendall(connection, b"and back")
        await box.until_said(command_id, b"and back")
        with pytest.raises(PortTaken):
            await box.runtime.listen(box.id, port)
    refused = await box.shell(f"exec 3<>/dev/tcp/127.0.0.1/{port}")
    assert refused.status != 0
