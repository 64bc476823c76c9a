"""Finding devboxes by a part of their name, however many came after."""

from urllib.parse import urlencode

from runloop_api_client import Runloop

from tests.console import Console
from tests.integration.console.test_hostile import BIDI, SCRIPT


def test_the_list_is_narrowed_to_a_name_and_a_state(console: Console, client: Runloop) -> None:
    made = [client.devboxes.create_and_await_running(name=f"Searched {word} {SCRIPT}{BIDI}") for word in ("one", "two")]
    client.devboxes.shutdown(made[1].id)
    both = console.page("/devboxes?q=searched")
    assert made[0].id in both
    assert made[1].id in both
    assert SCRIPT not in both
    running = console.page("/devboxes?q=SEARCHED&status=running")
    assert made[0].id in running
    assert made[1].id not in running
    assert "All devboxes" in running
    assert made[0].id in console.page(f"/devboxes?q={made[0].id[:20]}")
    assert "that is running has this id or name" in console.page("/devboxes?q=searched two&status=running")
    assert f"/devboxes/{made[0].id}" in console.page("/search?q=searched one")
    hostile_text = f'"><script>alert(1)</script>{BIDI}'
    hostile = console.page(f"/devboxes?{urlencode({'q': hostile_text})}")
    assert "<script>alert" not in hostile
    assert "\u202e" not in hostile
    client.devboxes.shutdown(made[0].id)


def test_text_that_no_name_can_have_finds_nothing_or_is_refused(console: Console) -> None:
    for path in ("/devboxes", "/devboxes/live", "/search"):
        console.page(f"{path}?q=%00", expect=400)
        console.page(f"{path}?q={'x' * 5000}", expect=400)
    assert "has this id or name" in console.page("/devboxes?q=%25")
