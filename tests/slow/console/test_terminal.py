"""The terminal in the page."""

from collections.abc import Callable, Generator

import pytest
from runloop_api_client import Runloop
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.console import Console
from tests.serving import ServerProcess
from tests.slow.console.conftest import Watched


@pytest.fixture(scope="module")
def devbox_id(server: ServerProcess) -> Generator[str]:
    with server.client() as client:
        made = client.devboxes.create_and_await_running(name="with a terminal")
        yield made.id
        client.devboxes.shutdown(made.id)


def _open(watched: Watched, devbox_id: str, name: str) -> None:
    watched.go(f"/devboxes/{devbox_id}/terminal?name={name}")
    watched.page.get_by_text("Connected.").wait_for()


def _wait_shown(watched: Watched, text: str) -> None:
    watched.page.locator(".xterm-rows", has_text=text).wait_for(timeout=60_000)


def test_commands_run_in_it_and_it_is_found_again(log_in: Callable[..., Watched], devbox_id: str) -> None:
    watched = log_in()
    _open(watched, devbox_id, "again")
    watched.page.keyboard.type("echo sum=$((40+2)); MINE=kept\n")
    _wait_shown(watched, "sum=42")
    watched.go("/")
    _open(watched, devbox_id, "again")
    _wait_shown(watched, "sum=42")
    watched.page.keyboard.type("echo is-$MINE\n")
    _wait_shown(watched, "is-kept")
    other = log_in("dark")
    _open(other, devbox_id, "again")
    _wait_shown(other, "is-kept")
    other.page.keyboard.type("echo from-the-$((1+1))nd\n")
    _wait_shown(watched, "from-the-2nd")


def test_it_has_the_size_of_its_window(log_in: Callable[..., Watched], devbox_id: str) -> None:
    watched = log_in()
    _open(watched, devbox_id, "size")
    watched.page.keyboard.type("stty size | tr ' ' x\n")
    rows, columns = watched.page.evaluate("[document.querySelectorAll('.xterm-rows > div').length, 0]")
    assert columns == 0
    _wait_shown(watched, f"{rows}x")
    watched.page.set_viewport_size({"width": 700, "height": 500})
    watched.page.wait_for_timeout(800)
    fewer = watched.page.evaluate("document.querySelectorAll('.xterm-rows > div').length")
    assert fewer < rows
    watched.page.keyboard.type("stty size | tr ' ' x\n")
    _wait_shown(watched, f"{fewer}x")


def test_its_output_reaches_nothing_but_itself(log_in: Callable[..., Watched], devbox_id: str) -> None:
    watched = log_in()
    _open(watched, devbox_id, "hostile")
    title = watched.page.title()
    watched.page.keyboard.type(
        r"printf '\033]0;owned\007\033]52;c;aGFja2Vk\007\033]8;;javascript:alert(1)\033\\click"
        r"\033]8;;\033\\ <img src=x>\n'; "
        "echo do'ne'\n"
    )
    _wait_shown(watched, "done")
    assert watched.page.title() == title
    assert watched.page.locator(".shell a, .shell img").count() == 0
    place = watched.page.locator(".xterm-rows span", has_text="click <img").last.bounding_box()
    assert place is not None
    watched.page.mouse.click(place["x"] + 10, place["y"] + 5)
    watched.page.wait_for_timeout(300)
    assert "/terminal" in watched.page.url


def test_it_ends_with_the_login(log_in: Callable[..., Watched], devbox_id: str) -> None:
    watched = log_in()
    _open(watched, devbox_id, "logout")
    second = watched.page.context.new_page()
    second.goto(f"{watched.base_url}/console/")
    second.get_by_role("button", name="Log out").click()
    second.wait_for_url("**/login")
    watched.page.get_by_text("Ended:").wait_for(timeout=60_000)


def test_other_pages_open_none(server: ServerProcess, client: Runloop, devbox_id: str) -> None:
    """The cookie alone is not enough: what is not a page of the console has another origin."""
    with Console(server.base_url) as console:
        console.log_in(server.api_key)
        console.change(f"/devboxes/{devbox_id}/terminal/guarded", {"rows": 24, "cols": 80}, expect=200)
        address = server.base_url.replace("http", "ws") + f"/console/devboxes/{devbox_id}/terminal/guarded/socket"
        cookie = {"cookie": f"loopyard-console={console.cookies['loopyard-console']}"}
        for origin in (Origin("https://evil.test"), None, Origin(f"{server.base_url}0")):
            with pytest.raises(InvalidStatus) as refusal, connect(address, origin=origin, additional_headers=cookie):
                pass
            assert refusal.value.response.status_code == 403
        with pytest.raises(InvalidStatus) as refusal, connect(address, origin=Origin(server.base_url)):
            pass
        assert refusal.value.response.status_code == 401
        with connect(address, origin=Origin(server.base_url), additional_headers=cookie) as socket:
            socket.send(b"echo it-$((1+1))-works\n")
            seen = b""
            while b"it-2-works" not in seen:
                seen += socket.recv(timeout=60)  # type: ignore[operator]


def test_a_key_that_only_reads_opens_none(server: ServerProcess, devbox_id: str) -> None:
    with server.client() as client, Console(server.base_url) as console:
        key = client.restricted_keys.create(
            name="reads", scopes=[{"access_level": "ACCESS_LEVEL_READ", "resource_type": "RESOURCE_TYPE_DEVBOXES"}]
        )
        assert key.key_secret
        console.log_in(key.key_secret)
        address = server.base_url.replace("http", "ws") + f"/console/devboxes/{devbox_id}/terminal/guarded/socket"
        cookie = {"cookie": f"loopyard-console={console.cookies['loopyard-console']}"}
        with (
            pytest.raises(InvalidStatus) as refusal,
            connect(address, origin=Origin(server.base_url), additional_headers=cookie),
        ):  # type: ignore[arg-type]
            pass
        assert refusal.value.response.status_code == 403
