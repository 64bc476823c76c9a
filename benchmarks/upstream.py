"""An upstream that costs as little as can be: `python -m benchmarks.upstream`. It prints its port once it listens.

`/first` is answered at once, `/large/N` with N MiB, `/events/N` with N events, one each tenth of a second.
"""

import asyncio
import sys

import uvloop

_PIECE = bytes(1 << 20)
_PAUSE_SECONDS = 0.1


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            _, kind, *count = head.split(b" ", 2)[1].decode().split("/")
            if kind == "large":
                pieces = int(count[0])
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (pieces << 20))
                for _ in range(pieces):
                    writer.write(_PIECE)
                    await writer.drain()
            elif kind == "events":
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
                )
                for _ in range(int(count[0])):
                    writer.write(b"d\r\ndata: token\n\n\r\n")
                    await asyncio.sleep(_PAUSE_SECONDS)
                writer.write(b"0\r\n\r\n")
            else:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.transport.abort()


async def _main(port: int) -> None:
    server = await asyncio.start_server(_serve, "0.0.0.0", port)  # noqa: S104  (devboxes reach it by their links)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1])))
