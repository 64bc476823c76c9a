"""What urllib3 sends after a redirect, seen by two real servers on the loopback address."""

import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import urllib3


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.seen.append((self.path, self.headers))
        if self.path == "/stay":
            self.send_response(302)
            self.send_header("Location", "/end")
        elif self.path == "/leave":
            self.send_response(302)
            self.send_header("Location", f"{self.server.other}/end")
        else:
            self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Redirects(unittest.TestCase):
    def setUp(self):
        self.servers = []
        for _ in range(2):
            server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
            server.seen = []
            threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
            self.servers.append(server)
            self.addCleanup(server.server_close)
            self.addCleanup(server.shutdown)
        self.service, self.elsewhere = self.servers
        self.service.other = self.url(self.elsewhere)

    def url(self, server):
        return f"http://127.0.0.1:{server.server_address[1]}"

    def get(self, path, headers, **options):
        answer = urllib3.PoolManager().request("GET", self.url(self.service) + path, headers=headers, **options)
        self.assertEqual(answer.status, 200)

    def test_another_origin_does_not_get_the_cookie(self):
        for name in ("Cookie", "cookie", "COOKIE"):
            self.elsewhere.seen.clear()
            self.get("/leave", {name: "session=secret", "X-Kept": "yes"})
            [(path, headers)] = self.elsewhere.seen
            self.assertEqual(path, "/end")
            self.assertIsNone(headers["Cookie"], name)
            self.assertEqual(headers["X-Kept"], "yes")

    def test_nor_the_authorization(self):
        self.get("/leave", {"Authorization": "Bearer secret", "Cookie": "a=b"})
        [(_, headers)] = self.elsewhere.seen
        self.assertIsNone(headers["Authorization"])
        self.assertIsNone(headers["Cookie"])

    def test_the_same_origin_keeps_it(self):
        self.get("/stay", {"Cookie": "session=secret"})
        self.assertEqual([headers["Cookie"] for _, headers in self.service.seen], ["session=secret"] * 2)

    def test_ones_own_list_of_headers_holds(self):
        retries = urllib3.Retry(remove_headers_on_redirect=["X-Own"])
        self.get("/leave", {"Cookie": "session=secret", "X-Own": "mine"}, retries=retries)
        [(_, headers)] = self.elsewhere.seen
        self.assertEqual(headers["Cookie"], "session=secret")
        self.assertIsNone(headers["X-Own"])


if __name__ == "__main__":
    unittest.main()
