"""Who is let in to the console, for how long, and what ends that."""

import re
import time
from collections.abc import Generator
from html.parser import HTMLParser

import httpx
import pytest

from tests.console import Console
from tests.serving import ServerProcess, serving


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Generator[ServerProcess]:
    """A server whose logins last four seconds, and that counts failed ones from the start."""
    with serving(
        tmp_path_factory.mktemp("console") / "data", env={"LOOPYARD_CONSOLE__SESSION_HOURS": "0.0012"}
    ) as made:
        yield made


def test_every_answer_keeps_browsers_from_running_what_the_page_did_not_bring(console: Console) -> None:
    for path in ("/console/", "/console/login", "/console/nothing", "/console/static/console.js", "/console/devboxes"):
        headers = console.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


def test_pages_hold_no_script_or_style_of_their_own(console: Console) -> None:
    for path in ("/", "/devboxes", "/search?q=x", "/login"):
        html = console.get(f"/console{path}").text
        for tag, attributes in _tags(html):
            assert tag != "style"
            assert tag != "script" or "src" in attributes
            assert not [name for name in attributes if name == "style" or name.startswith("on")]
        assert all(address.startswith("/console/") for address in re.findall(r'(?:src|href)="([^"#]+)"', html))


def _tags(html: str) -> list[tuple[str, set[str]]]:
    """Every tag of a page, with the names of its attributes."""
    tags: list[tuple[str, set[str]]] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.append((tag, {name for name, _ in attrs}))

    Tags().feed(html)
    return tags


def test_without_a_login_pages_lead_to_it_and_back(server: ServerProcess) -> None:
    with Console(server.base_url) as console:
        answer = console.get("/console/devboxes?status=running")
        assert answer.status_code == 303
        where = answer.headers["location"]
        assert where.startswith("/console/login?next=")
        assert console.log_in(server.api_key, then="/console/devboxes?status=running").headers["location"] == (
            "/console/devboxes?status=running"
        )


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.test/", "//evil.test", "/console//evil.test", "/v1/devboxes", "/console/../v1", "javascript:1"],
)
def test_a_login_leads_nowhere_else(server: ServerProcess, elsewhere: str) -> None:
    with Console(server.base_url) as console:
        assert console.log_in(server.api_key, then=elsewhere).headers["location"] == "/console/"


def test_the_cookie_is_for_this_server_alone(server: ServerProcess) -> None:
    with Console(server.base_url) as console:
        cookie = console.log_in(server.api_key).headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert "domain" not in cookie
        assert "secure" not in cookie
    with Console(server.base_url) as console:
        console.headers["x-forwarded-proto"] = "https"
        form = console.get("/console/login")
        token = re.search(r'name="token" value="([^"]+)"', form.text)
        assert token is not None
        sent = {"__Host-loopyard-login": token[1]}
        answer = console.post(
            "/console/login",
            data={"token": token[1], "key": server.api_key},
            headers={"cookie": "; ".join(f"{name}={value}" for name, value in sent.items())},
        )
        assert answer.headers["set-cookie"].startswith("__Host-loopyard-console=")
        assert "secure" in answer.headers["set-cookie"].lower()


def test_a_login_is_rotated_by_the_next_and_ended_by_logout(server: ServerProcess) -> None:
    with Console(server.base_url) as console:
        console.log_in(server.api_key)
        first = console.cookies["loopyard-console"]
        token = re.search(r'name="token" value="([^"]+)"', Console(server.base_url).get("/console/login").text)
        assert token is not None
        fresh = httpx.Client(base_url=server.base_url)
        form = fresh.get("/console/login")
        found = re.search(r'name="token" value="([^"]+)"', form.text)
        assert found is not None
        fresh.cookies.set("loopyard-console", first)
        answer = fresh.post("/console/login", data={"token": found[1], "key": server.api_key})
        assert answer.status_code == 303
        second = answer.cookies["loopyard-console"]
        assert second != first
        assert console.get("/console/").status_code == 303  # the first one is over
        console.cookies.set("loopyard-console", second)
        console.change("/logout")
        console.cookies.set("loopyard-console", second)
        assert console.get("/console/").status_code == 303


def test_a_login_ends_with_its_key(server: ServerProcess) -> None:
    with server.client() as client, Console(server.base_url) as console:
        key = client.apikeys.create(name="for the console")
        assert key.key_secret
        assert key.id
        console.log_in(key.key_secret)
        console.page("/")
        with console.stream("GET", "/console/live") as live:
            assert live.status_code == 200
            httpx.delete(
                f"{server.base_url}/v1/apikeys/{key.id}", headers={"authorization": f"Bearer {server.api_key}"}
            ).raise_for_status()
            with pytest.raises(httpx.RemoteProtocolError):
                for _ in live.iter_bytes():
                    pass
        assert console.get("/console/").status_code == 303


def test_a_login_ends_by_itself(own: ServerProcess) -> None:
    with Console(own.base_url) as console:
        console.log_in(own.api_key)
        console.page("/")
        begun = time.monotonic()
        with console.stream("GET", "/console/live") as live:
            for _ in live.iter_bytes():
                pass  # it ends at the next event or ping
        assert time.monotonic() - begun < 60
        assert console.get("/console/").status_code == 303


def test_guessing_is_slowed_down_for_everyone_from_the_address(own: ServerProcess) -> None:
    with Console(own.base_url) as console:
        for _ in range(10):
            assert "not known here" in console.log_in("ak_wrong", expect=401).text
        answer = console.log_in("ak_wrong", expect=429)
        assert 0 < int(answer.headers["retry-after"]) <= 600
        console.log_in(own.api_key, expect=429)


def test_forms_of_others_log_nobody_in(server: ServerProcess) -> None:
    answer = httpx.post(f"{server.base_url}/console/login", data={"key": server.api_key, "token": "x"})
    assert answer.status_code == 403
    assert "loopyard-console" not in answer.cookies


def test_the_console_can_be_switched_off(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("off") / "data"
    with serving(folder, env={"LOOPYARD_CONSOLE__ENABLED": "false"}) as made:
        assert httpx.get(f"{made.base_url}/console/").status_code == 404
