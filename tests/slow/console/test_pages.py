"""Every page in a real browser: nothing runs, nothing is too wide, and no accessibility rule is broken."""

import json
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Literal

import pytest
from runloop_api_client import Runloop

from tests.serving import ServerProcess
from tests.slow.console.conftest import Watched

HOSTILE = "<script>alert(1)</script><svg onload=alert(2)>\u202egnp.exe '\"><img src=x onerror=alert(3)>"

_LOOKS: tuple[tuple[Literal["light", "dark"], int], ...] = (("light", 1280), ("dark", 1280), ("light", 390))

PAGES = [
    "/login",
    "/",
    "/devboxes",
    "/devboxes?status=failure",
    "/devboxes/BOX",
    "/devboxes/BOX/log",
    "/devboxes/BOX/commands",
    "/devboxes/BOX/commands/COMMAND",
    "/devboxes/BOX/files",
    "/devboxes/BOX/files?path=/tmp/f",
    "/devboxes/BOX/files/view?path=/tmp/f/text",
    "/devboxes/BOX/terminal",
    "/blueprints",
    "/blueprints/BLUEPRINT",
    "/snapshots",
    "/snapshots/SNAPSHOT",
    "/objects",
    "/objects/OBJECT",
    "/network-policies",
    "/agents",
    "/agents/AGENT",
    "/gateways",
    "/mcp",
    "/secrets",
    "/axons",
    "/axons/AXON",
    "/axons/AXON/sql",
    "/axons/AXON/transcript",
    "/axons/TALK/transcript",
    "/keys",
    "/audit",
    "/account",
    "/settings",
    "/search?q=script",
    "/nothing",
]


@pytest.fixture(scope="module")
def world(server: ServerProcess) -> Generator[dict[str, str]]:
    """A devbox full of what should never be shown as it is."""
    with server.client() as client:
        made = client.devboxes.create_and_await_running(name=HOSTILE, metadata={HOSTILE: HOSTILE})
        client.devboxes.write_file_contents(made.id, file_path="/tmp/f/text", contents=HOSTILE * 50)
        client.devboxes.write_file_contents(made.id, file_path=f"/tmp/f/{HOSTILE.replace('/', '_')}", contents="x")
        command = client.devboxes.execute_async(made.id, command=_hostile_output())
        client.devboxes.executions.await_completed(command.execution_id, devbox_id=made.id)
        snapshot = client.devboxes.snapshot_disk(made.id, name=HOSTILE, commit_message=HOSTILE)
        thing = client.objects.create(name=HOSTILE, content_type="text")
        agent = client.agents.create(
            name=HOSTILE, version="1.0.0", source={"type": "npm", "npm": {"package_name": "some-agent"}}
        )
        axon = client.axons.create(name=HOSTILE)
        for payload in (HOSTILE, "x" * 4_000_000):
            client.axons.publish(
                axon.id, event_type=HOSTILE, origin="AGENT_EVENT", payload=json.dumps(payload), source=HOSTILE
            )
        talk = client.axons.create(name=HOSTILE)
        for name, origin, payload in _conversation():
            client.axons.publish(talk.id, event_type=name, origin=origin, payload=json.dumps(payload), source="broker")
        blueprint = client.blueprints.create(name=HOSTILE, dockerfile=f"FROM scratch\n# {HOSTILE}\nCOPY none /\n")
        yield {
            "BOX": made.id,
            "COMMAND": command.execution_id,
            "BLUEPRINT": blueprint.id,
            "SNAPSHOT": snapshot.id,
            "OBJECT": thing.id,
            "AGENT": agent.id,
            "AXON": axon.id,
            "TALK": talk.id,
        }
        client.devboxes.shutdown(made.id)


def _conversation() -> list[tuple[str, Any, Any]]:
    """Each kind of entry of a transcript."""
    call = {"type": "tool_use", "id": "c", "name": "Bash", "input": {"command": HOSTILE}}
    told = {
        "type": "tool_result",
        "tool_use_id": "c",
        "content": f"\x1b[31mred\x1b[0m\n{HOSTILE * 20}",
        "is_error": True,
    }
    said = [{"type": "thinking", "thinking": HOSTILE}, {"type": "text", "text": HOSTILE * 5}, call]
    plan = {"sessionUpdate": "plan", "entries": [{"content": HOSTILE, "status": "pending"}]}
    return [
        ("query", "USER_EVENT", {"type": "user", "message": {"content": f"Fix it. {HOSTILE}"}}),
        ("system", "AGENT_EVENT", {"type": "system", "subtype": "init", "model": HOSTILE}),
        ("assistant", "AGENT_EVENT", {"message": {"content": said}}),
        ("user", "AGENT_EVENT", {"message": {"content": [told]}}),
        ("session/update", "AGENT_EVENT", {"update": plan}),
        ("result", "AGENT_EVENT", {"type": "result", "is_error": True, "result": HOSTILE, "total_cost_usd": 0.25}),
        (HOSTILE, "AGENT_EVENT", {HOSTILE: [HOSTILE]}),
    ]


def _hostile_output() -> str:
    sequences = (
        r"\033]0;owned\007\033]52;c;aGFja2Vk\007\033]8;;javascript:alert(1)\033\\click\033]8;;\033\\\033[31mred\033[0m"
    )
    return f"""printf '{sequences}\\n'
cat <<'END'
{HOSTILE}
END
head -c 10000000 /dev/zero | tr '\\0' '<'
echo oops >&2; exit 3"""


@pytest.mark.parametrize("path", PAGES)
def test_a_page(log_in: Callable[..., Watched], world: dict[str, str], shots: Path, path: str) -> None:
    shown = path.strip("/").replace("/", "_").replace("?", "_") or "overview"
    for name, value in world.items():
        path = path.replace(name, value)
    watched = log_in()
    if path == "/login":
        watched.page.context.clear_cookies()
    for scheme, width in _LOOKS:
        watched.page.emulate_media(color_scheme=scheme)
        watched.page.set_viewport_size({"width": width, "height": 900})
        watched.go(path)
        watched.page.wait_for_timeout(500)
        watched.page.screenshot(path=shots / f"{shown}-{scheme}-{width}.png", full_page=True)
        assert watched.violations() == []
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= width
        assert watched.page.locator("main script, main img, main svg").count() == 0
        assert watched.page.title().endswith("Loopyard")


def test_a_page_is_light(log_in: Callable[..., Watched], world: dict[str, str]) -> None:
    """300 KB at the first visit, 30 KB afterwards."""
    watched = log_in()
    session: Any = watched.page.context.new_cdp_session(watched.page)
    session.send("Network.enable")
    sizes: list[float] = []

    def loaded(event: dict[str, Any]) -> None:
        sizes.append(event["encodedDataLength"])

    session.on("Network.loadingFinished", loaded)
    session.send("Network.clearBrowserCache")
    watched.go("/devboxes")
    watched.page.wait_for_timeout(500)
    first = sum(sizes)
    sizes.clear()
    watched.go("/devboxes")
    watched.page.wait_for_timeout(500)
    assert 0 < first < 300_000
    assert 0 < sum(sizes) < 30_000


def test_changes_come_to_the_page_by_themselves(
    log_in: Callable[..., Watched], client: Runloop, world: dict[str, str]
) -> None:
    watched = log_in()
    watched.go("/devboxes")
    watched.page.wait_for_timeout(1000)
    made = client.devboxes.create_and_await_running(name="comes live")
    watched.page.get_by_text("comes live").wait_for(timeout=60_000)
    watched.go(f"/devboxes/{made.id}/log")
    watched.page.wait_for_timeout(1000)
    running = client.devboxes.execute_async(made.id, command="for i in 1 2 3 4 5 6; do echo line $i; sleep 0.5; done")
    watched.page.get_by_text("line 1").wait_for(timeout=60_000)
    watched.page.get_by_text("ended with 0").wait_for(timeout=60_000)
    assert running.execution_id
    watched.go(f"/devboxes/{made.id}")
    watched.page.wait_for_timeout(1000)
    client.devboxes.shutdown(made.id)
    watched.page.locator(".facts .s-shutdown").wait_for(timeout=60_000)


def test_search_by_keys(log_in: Callable[..., Watched], client: Runloop, world: dict[str, str]) -> None:
    made = client.devboxes.create(name="the needle")
    watched = log_in()
    watched.page.keyboard.press("/")
    watched.page.keyboard.type("NEEDLE")
    watched.page.locator("#found a", has_text="the needle").wait_for()
    watched.page.keyboard.press("ArrowDown")
    watched.page.keyboard.press("Enter")
    watched.page.wait_for_url(f"**/devboxes/{made.id}")
    watched.page.keyboard.press("Control+k")
    watched.page.keyboard.type(world["BOX"])
    watched.page.keyboard.press("Enter")
    watched.page.wait_for_url(f"**/devboxes/{world['BOX']}")
    client.devboxes.shutdown(made.id)


def test_buttons_ask_and_act(log_in: Callable[..., Watched], client: Runloop) -> None:
    made = client.devboxes.create_and_await_running(name="to be ended")
    watched = log_in()
    watched.go(f"/devboxes/{made.id}")
    watched.page.get_by_role("button", name="Take a snapshot").click()
    watched.page.get_by_text("is being taken").wait_for()
    client.devboxes.disk_snapshots.await_completed(
        next(iter(client.devboxes.list_disk_snapshots(devbox_id=made.id))).id
    )
    watched.page.evaluate("window.confirm = () => true")
    watched.page.get_by_role("button", name="Shut down").click()
    watched.page.get_by_text("has been shut down").wait_for()
    assert client.devboxes.retrieve(made.id).status == "shutdown"


def test_a_page_that_nobody_looks_at_holds_no_connection(
    log_in: Callable[..., Watched], client: Runloop, world: dict[str, str]
) -> None:
    """A browser has six connections to a server; without this the seventh tab would load nothing."""
    watched = log_in()
    watched.go("/devboxes")
    watched.page.wait_for_timeout(500)
    hide = """hidden => {
        Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    watched.page.evaluate(hide, True)
    made = client.devboxes.create_and_await_running(name="while away")
    watched.page.wait_for_timeout(1500)
    assert watched.page.get_by_text("while away").count() == 0
    watched.page.evaluate(hide, False)
    watched.page.get_by_text("while away").wait_for(timeout=60_000)
    client.devboxes.shutdown(made.id)


def test_charts_of_use_are_drawn_live(log_in: Callable[..., Watched], client: Runloop, shots: Path) -> None:
    made = client.devboxes.create_and_await_running(name="busy")
    busy = "timeout 60 sh -c 'while :; do head -c 30000000 /dev/zero | tail -c 1 > /dev/null; done'"
    client.devboxes.execute_async(made.id, command=busy)
    watched = log_in()
    watched.go(f"/devboxes/{made.id}")
    assert watched.page.locator(".chart canvas").count() == 2
    read = "() => JSON.parse(document.querySelector('[data-usage]').dataset.usage).times.length"
    watched.page.locator("summary", has_text="As a table").click()
    watched.page.wait_for_function(f"() => ({read})() >= 4", timeout=60_000)
    assert watched.page.locator('[sse-swap="usage"] details[open] tbody tr').count() >= 3
    for scheme, width in _LOOKS:
        watched.page.emulate_media(color_scheme=scheme)
        watched.page.set_viewport_size({"width": width, "height": 900})
        watched.page.wait_for_timeout(500)
        watched.page.screenshot(path=shots / f"charts-{scheme}-{width}.png", full_page=True)
        assert watched.violations() == []
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= width
        drawn = "() => [...document.querySelectorAll('.chart canvas')].every(c => c.width > 100)"
        assert watched.page.evaluate(drawn)
    client.devboxes.shutdown(made.id)
    watched.go("/devboxes")
    assert watched.page.evaluate("typeof uPlot") == "undefined"


def test_statements_are_typed_and_their_results_shown(
    log_in: Callable[..., Watched], world: dict[str, str], shots: Path
) -> None:
    watched = log_in()
    watched.go(f"/axons/{world['TALK']}/sql")
    watched.page.get_by_role("button", name="Run", exact=True).click()
    watched.page.get_by_role("region", name="Result").wait_for()
    for scheme, width in _LOOKS:
        watched.page.emulate_media(color_scheme=scheme)
        watched.page.set_viewport_size({"width": width, "height": 900})
        watched.page.screenshot(path=shots / f"sql-result-{scheme}-{width}.png", full_page=True)
        assert watched.violations() == []
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= width
    watched.page.fill("textarea", "SELECT")
    watched.page.get_by_role("button", name="Run", exact=True).click()
    watched.page.get_by_role("alert").wait_for()
    assert watched.page.locator("textarea").input_value() == "SELECT"
    assert watched.violations() == []


@pytest.mark.parametrize("path", ["/keys", "/secrets", "/network-policies"])
def test_forms_that_make_something(log_in: Callable[..., Watched], shots: Path, path: str) -> None:
    watched = log_in()
    watched.go(path)
    watched.page.locator("details.create summary").click()
    for scheme, width in _LOOKS:
        watched.page.emulate_media(color_scheme=scheme)
        watched.page.set_viewport_size({"width": width, "height": 900})
        watched.page.screenshot(path=shots / f"form{path.replace('/', '-')}-{scheme}-{width}.png", full_page=True)
        assert watched.violations() == []
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_policy_is_changed_in_its_form(log_in: Callable[..., Watched], client: Runloop, shots: Path) -> None:
    made = client.network_policies.create(
        name=HOSTILE, description=f"first\n{HOSTILE}", allowed_hostnames=["a.example.com"], allow_mcp_gateway=True
    )
    watched = log_in()
    watched.go(f"/network-policies/{made.id}")
    watched.page.locator("details.create summary").click()
    for scheme, width in _LOOKS:
        watched.page.emulate_media(color_scheme=scheme)
        watched.page.set_viewport_size({"width": width, "height": 900})
        watched.page.screenshot(path=shots / f"policy-form-{scheme}-{width}.png", full_page=True)
        assert watched.violations() == []
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= width
    watched.page.get_by_role("button", name="Save the network policy").click()
    watched.page.get_by_text("Nothing was changed.").wait_for()
    assert client.network_policies.retrieve(made.id) == made
    watched.page.locator("details.create summary").click()
    watched.page.get_by_label("Host names").fill("a.example.com\nb.example.com")
    watched.page.get_by_label("MCP servers").uncheck()
    watched.page.get_by_role("button", name="Save the network policy").click()
    watched.page.get_by_text("The network policy is in force.").wait_for()
    after = client.network_policies.retrieve(made.id)
    assert (after.name, after.description) == (made.name, made.description)
    assert after.egress.allowed_hostnames == ["a.example.com", "b.example.com"]
    assert after.egress.allow_mcp_gateway is False
    client.network_policies.delete(made.id)
