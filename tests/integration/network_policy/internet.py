"""A small internet, run as a process in a network namespace: `python internet.py ZONE LOG CERTIFICATE KEY ADDRESS...`.

It answers questions for names and UDP messages at the ADDRESSes, and connections at all of the namespace, or with only
one ADDRESS nothing but questions. ZONE is a JSON file of names to records, read anew for each question; LOG
gets each name that was asked for, one a line. It prints `ready` once it serves.
"""

import json
import socketserver
import ssl
import sys
import threading
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

ZONE, LOG, CERTIFICATE, KEY = (Path(argument) for argument in sys.argv[1:5])
ADDRESSES = sys.argv[5:]
_lock = threading.Lock()


def resolve(wire: bytes, *, by_udp: bool) -> bytes:
    question = dns.message.from_wire(wire)
    answer = dns.message.make_response(question, recursion_available=True)
    one = question.question[0]
    asked = one.name.to_text(omit_final_dot=True)
    with _lock, LOG.open("a") as log:
        log.write(f"{asked} {dns.rdatatype.to_text(one.rdtype)}\n")
    zone: dict[str, dict[str, Any]] = json.loads(ZONE.read_text())
    name = asked.lower()
    if name not in zone:
        answer.set_rcode(dns.rcode.NXDOMAIN)
    for _ in range(8):
        records = zone.get(name, {})
        ttl = records.get("ttl", 60)
        if alias := records.get("CNAME"):
            answer.answer.append(dns.rrset.from_text(f"{name}.", ttl, "IN", "CNAME", f"{alias}."))
            name = alias
            continue
        kind = dns.rdatatype.to_text(one.rdtype)
        if values := records.get(kind):
            answer.answer.append(dns.rrset.from_text_list(f"{name}.", ttl, "IN", kind, values))
        break
    if by_udp and zone.get(asked.lower(), {}).get("truncate"):
        answer.flags |= dns.flags.TC
        answer.answer = []
    return answer.to_wire(max_size=65535)


class DnsUdp(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, listener = self.request
        listener.sendto(resolve(data, by_udp=True), self.client_address)


class DnsTcp(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while len(head := self.rfile.read(2)) == 2:
            answer = resolve(self.rfile.read(int.from_bytes(head, "big")), by_udp=False)
            self.wfile.write(len(answer).to_bytes(2, "big") + answer)


def path_of(line: bytes) -> str:
    return line.split()[1].decode()


class Web(socketserver.StreamRequestHandler):
    """HTTP/1.1 that keeps connections, names what host each request was for, and sends as much as /size says."""

    server_name: str | None = None

    def handle(self) -> None:
        while line := self.rfile.readline(65536).strip():
            headers: dict[str, str] = {}
            while header := self.rfile.readline(65536).strip():
                key, _, value = header.decode().partition(":")
                headers[key.lower()] = value.strip()
            if headers.get("upgrade") == "websocket" and path_of(line) == "/agree":
                self.wfile.write(b"HTTP/1.1 101 Hello\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
                while message := self.rfile.readline(65536):
                    self.wfile.write(b"echo " + message)
                return
            sent = self.rfile.read(int(headers.get("content-length", "0")))
            path = path_of(line).rpartition("/")[2]
            here = self.request.getsockname()[0]
            body = f"host={headers.get('host')} sni={self.server_name} at={here} got={len(sent)}\n".encode()
            body += b"x" * int(path) if path.isdigit() else b""
            closes = headers.get("connection", "").lower() == "close"
            connection = b"Connection: close\r\n" if closes else b""
            self.wfile.write(b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (connection, len(body), body))
            if closes:
                return


class SecureWeb(Web):
    def setup(self) -> None:
        named: list[str | None] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE, KEY)

        def remember(_: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> None:
            named.append(name)

        context.sni_callback = remember
        self.request = context.wrap_socket(self.request, server_side=True)
        self.server_name = named[0] if named else None
        super().setup()


class Greeter(socketserver.StreamRequestHandler):
    """A server that speaks first, as SSH and SMTP do, and then repeats what it is told."""

    def handle(self) -> None:
        self.wfile.write(b"welcome\n")
        while line := self.rfile.readline(65536):
            self.wfile.write(line)


class Repeater(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while line := self.rfile.readline(65536):
            self.wfile.write(line)


class UdpRepeater(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, listener = self.request
        listener.sendto(data, self.client_address)


class _Tcp(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that are cut off are what is tested here."""


class _Udp(socketserver.ThreadingUDPServer):
    daemon_threads = True


def main() -> None:
    everywhere = "0.0.0.0"  # noqa: S104
    # By UDP a socket must be bound to one address to answer from it.
    servers: list[socketserver.BaseServer] = [_Udp((address, 53), DnsUdp) for address in ADDRESSES]
    servers += [_Tcp((address, 53), DnsTcp) for address in ADDRESSES]
    if len(ADDRESSES) > 1:
        servers += [_Udp((address, 5000), UdpRepeater) for address in ADDRESSES]
        servers += [_Tcp((everywhere, port), Web) for port in (80, 8080, 9999)]
        servers += [_Tcp((everywhere, port), SecureWeb) for port in (443, 8443)]
        servers += [_Tcp((everywhere, 2222), Greeter), _Tcp((everywhere, 7000), Repeater)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)  # noqa: T201
    threading.Event().wait()


if __name__ == "__main__":
    main()
