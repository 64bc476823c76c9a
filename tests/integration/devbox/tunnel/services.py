"""Small servers that run inside devboxes, on nothing but Python's standard library, and how the tests reach them."""

import time
from collections.abc import Callable

import httpx
from runloop_api_client import Runloop

from tests.serving import ServerProcess

HTTP_SERVICE = r"""
import hashlib, http.server, json, socketserver, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def chunks(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            left = int(self.headers.get("Content-Length") or 0)
            while left:
                data = self.rfile.read1(min(left, 1 << 16))
                left -= len(data)
                yield data

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def plain(self, body, status=200, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_any(self):
        path = self.path.partition("?")[0]
        if path == "/digest":
            digest, size = hashlib.sha256(), 0
            for data in self.chunks():
                digest.update(data)
                size += len(data)
            self.plain(json.dumps({"sha256": digest.hexdigest(), "size": size}).encode())
        elif path.startswith("/bytes/"):
            left = int(path.split("/")[2])
            self.send_response(200)
            self.send_header("Content-Length", str(left))
            self.end_headers()
            block = bytes(range(256)) * 256
            while left:
                self.wfile.write(block[:left])
                left -= min(left, len(block))
        elif path == "/echo-stream":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for data in self.chunks():
                self.chunk(data)
            self.chunk(b"")
        elif path == "/slow":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            for number in range(3):
                self.chunk(b"data: %d\n\n" % number)
                time.sleep(0.5)
            self.chunk(b"")
        elif path.startswith("/status/"):
            status = int(path.split("/")[2])
            if status == 304:
                self.send_response(304)
                self.send_header("Content-Length", "12")
                self.end_headers()
            else:
                self.plain(b"" if status == 204 else b"said so", status, X_Own="kept", Connection="X-Hop", X_Hop="gone")
        elif path == "/trailers":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.send_header("Trailer", "X-Sum")
            self.end_headers()
            self.chunk(b"abc")
            self.wfile.write(b"0\r\nX-Sum: 42\r\nContent-Length: 9\r\n\r\n")
        elif path == "/hang-up":
            self.close_connection = True
        elif path == "/cut-off":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"only this")
            self.close_connection = True
        elif path == "/garbage":
            self.wfile.write(b"\x00\x01 this is no HTTP\r\n\r\n")
            self.close_connection = True
        elif path == "/sleep":
            time.sleep(float(self.path.partition("?")[2]))
            self.plain(b"awake")
        else:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = {"method": self.command, "path": self.path, "headers": headers}
            for _ in self.chunks():
                pass
            self.plain(json.dumps(body).encode(), Set_Cookie="a=1")

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_HEAD = handle_any

class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64

Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""

WEBSOCKET_SERVICE = r'''
import base64, hashlib, socketserver, struct, sys

def take(file, count):
    data = file.read(count)
    if len(data) < count:
        raise EOFError
    return data

class Echo(socketserver.StreamRequestHandler):
    """RFC 6455 by hand: says every message again; "close 4001" closes with that code."""

    def frame(self, opcode, data):
        head = bytes([0x80 | opcode])
        if len(data) < 126:
            head += bytes([len(data)])
        elif len(data) < 1 << 16:
            head += b"\x7e" + struct.pack("!H", len(data))
        else:
            head += b"\x7f" + struct.pack("!Q", len(data))
        self.wfile.write(head + data)

    def handle(self):
        line = self.rfile.readline().decode()
        headers = {}
        while (text := self.rfile.readline().strip().decode()):
            name, _, value = text.partition(":")
            headers[name.lower()] = value.strip()
        if "/refuse" in line:
            self.wfile.write(b"HTTP/1.1 418 No\r\nContent-Length: 7\r\nX-Own: kept\r\n\r\nteapot!")
            return
        accept = hashlib.sha1((headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        answer = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
                  "Sec-WebSocket-Accept: " + base64.b64encode(accept).decode(), "X-Path: " + line.split()[1]]
        if "sec-websocket-protocol" in headers:
            answer.append("Sec-WebSocket-Protocol: " + headers["sec-websocket-protocol"].split(",")[-1].strip())
        self.wfile.write(("\r\n".join(answer) + "\r\n\r\n").encode())
        whole, kind = b"", 0
        try:
            while True:
                first, second = take(self.rfile, 2)
                size = second & 127
                if size == 126:
                    size = struct.unpack("!H", take(self.rfile, 2))[0]
                elif size == 127:
                    size = struct.unpack("!Q", take(self.rfile, 8))[0]
                mask = take(self.rfile, 4)
                data = take(self.rfile, size)
                key = (mask * (size // 4 + 1))[:size]
                data = (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
                opcode = first & 15
                if opcode == 8:
                    self.frame(8, data[:2])
                    open("/tmp/closed-with", "wb").write(data)
                    return
                if opcode == 9:
                    self.frame(10, data)
                    continue
                whole, kind = whole + data, opcode or kind
                if first & 0x80:
                    if whole.startswith(b"close "):
                        self.frame(8, struct.pack("!H", int(whole[6:])) + b"as asked")
                        return
                    self.frame(kind, whole)
                    whole = b""
        except EOFError:
            pass

class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = allow_reuse_address = True

Server(("127.0.0.1", int(sys.argv[1])), Echo).serve_forever()
'''


def start(client: Runloop, devbox_id: str, program: str, port: int) -> None:
    """Start a service in a devbox, and wait until it listens."""
    client.devboxes.write_file_contents(devbox_id, file_path=f"service-{port}.py", contents=program)
    client.devboxes.execute_async(devbox_id, command=f"exec python3 ~/service-{port}.py {port}")
    listening = (
        f"for i in $(seq 200); do (echo >/dev/tcp/127.0.0.1/{port}) 2>/dev/null && exit 0; sleep 0.05; done; exit 1"
    )
    assert client.devboxes.execute(devbox_id, command=listening).exit_status == 0


def name(tunnel_key: str, port: int) -> str:
    """The host name of a tunnel, as the client builds it from its base URL."""
    return f"{port}-{tunnel_key}.tunnel.loopyard.test"


def through(server: ServerProcess, tunnel_key: str, port: int, token: str | None = None) -> httpx.Client:
    """A client of a service in a devbox. The name is sent as Host, for no name server knows it here."""
    headers = {"Host": name(tunnel_key, port)}
    if token is not None:
        headers["X-Runloop-Tunnel-Authorization"] = f"Bearer {token}"
    return httpx.Client(base_url=server.base_url, headers=headers, timeout=60)


def until(seconds: float, what: Callable[[], bool]) -> None:
    """Wait until `what()` is true."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come to be in time"
        time.sleep(0.05)
