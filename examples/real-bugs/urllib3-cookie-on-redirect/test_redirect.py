"""What urllib3 sends after a redirect, seen by two real servers on the loopback address."""

import json
import subprocess
import sys
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# The package is the agent's work, so its code runs apart: as another user, who cannot reach this process and its output.
ANSWERING = """
import json, sys
setup, questions = json.load(sys.stdin)
names, answers = {}, []
exec(setup, names)
for question in questions:
    try:
        answers.append({"value": eval(question, names)})
    except Exception as error:
        answers.append({"raised": [kind.__name__ for kind in type(error).__mro__]})
print(json.dumps(answers))
"""


def ask(setup, questions):
    """What the package answers to each of the questions, which are expressions; `setup` are statements before them."""
    command = ["sudo", "--non-interactive", "--user=nobody", "timeout", "60", "python3", "-B", "-c", ANSWERING]
    asked = subprocess.run(command, input=json.dumps([setup, questions]), capture_output=True, text=True)
    print(asked.stderr, file=sys.stderr)
    try:
        answers = json.loads(asked.stdout)
    except ValueError:
        answers = None
    if not isinstance(answers, list) or len(answers) != len(questions):
        raise AssertionError("the package did not answer")
    return answers


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
        options = "".join(f", {name}={value}" for name, value in {"headers": repr(headers), **options}.items())
        question = f"urllib3.PoolManager().request('GET', {self.url(self.service) + path!r}{options}).status"
        self.assertEqual(ask("import urllib3", [question]), [{"value": 200}])

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
        retries = "urllib3.Retry(remove_headers_on_redirect=['X-Own'])"
        self.get("/leave", {"Cookie": "session=secret", "X-Own": "mine"}, retries=retries)
        [(_, headers)] = self.elsewhere.seen
        self.assertEqual(headers["Cookie"], "session=secret")
        self.assertIsNone(headers["X-Own"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
