"""What devboxes say is shown, and never becomes a part of the page."""

from collections.abc import Generator

import pytest
from runloop_api_client import Runloop

from tests.console import Console
from tests.serving import ServerProcess

SCRIPT = "<script>alert(1)</script>"
BIDI = "\u202egnp.exe"


@pytest.fixture(scope="module")
def devbox_id(server: ServerProcess) -> Generator[str]:
    with server.client() as client:
        made = client.devboxes.create_and_await_running(
            name=f"{SCRIPT}{BIDI}", metadata={f"a{SCRIPT}": f'"><img src=x onerror=alert(1)>{BIDI}'}
        )
        yield made.id
        client.devboxes.shutdown(made.id)


def test_names_and_metadata_are_text(console: Console, devbox_id: str) -> None:
    for path in ("/", "/devboxes", f"/devboxes/{devbox_id}", "/search?q=script", f"/devboxes/{devbox_id}/files"):
        html = console.page(path)
        assert SCRIPT not in html
        assert "<img" not in html
        assert "\u202e" not in html
    assert "&lt;script&gt;" in console.page(f"/devboxes/{devbox_id}")
    assert "⟨U+202E⟩" in console.page(f"/devboxes/{devbox_id}")


def test_output_of_terminals_becomes_text_and_classes(console: Console, client: Runloop, devbox_id: str) -> None:
    command = (
        r"printf '\033[1;31mred\033[0m \033]0;title\007\033]52;c;aGk=\007\033]8;;javascript:alert(1)\033\\link"
        r"\033]8;;\033\\ \033[2J\033[5;5H<b>bold</b>\n' #"
    )
    client.devboxes.execute_sync(devbox_id, command=command)
    shown = console.page(f"/devboxes/{devbox_id}/log")
    output = next(line for line in shown.splitlines() if 'class="a-b a-f1"' in line)
    assert '<span class="a-b a-f1">red</span> link &lt;b&gt;bold&lt;/b&gt;' in output
    assert "\x1b" not in shown


def test_lines_of_megabytes_are_cut_and_can_be_had_whole(console: Console, client: Runloop, devbox_id: str) -> None:
    made = client.devboxes.execute_async(devbox_id, command="head -c 10000000 /dev/zero | tr '\\0' '<'")
    client.devboxes.executions.await_completed(made.execution_id, devbox_id=devbox_id)
    at = f"/devboxes/{devbox_id}/commands/{made.execution_id}"
    assert len(console.page(at)) < 100_000
    assert len(console.page(f"/devboxes/{devbox_id}/log")) < 1_000_000
    assert "line cut" in console.page(at)
    whole = console.get(f"/console{at}/stdout.txt")
    assert len(whole.content) == 10_000_000
    assert whole.headers["content-disposition"].startswith("attachment")


def test_names_of_files_are_text(console: Console, client: Runloop, devbox_id: str) -> None:
    client.devboxes.execute_sync(
        devbox_id,
        command="mkdir -p /tmp/f && cd /tmp/f && "
        "touch -- '<img src=x onerror=alert(1)>' $'new\\nline' '-rf' '?a=b&c#d' "
        "$'\\xe2\\x80\\xae.exe' $'\\xff\\xfe' && mkdir 'a \"b\"' && echo '</pre><script>1</script>' > 'a \"b\"/x&y'",
    )
    html = console.page(f"/devboxes/{devbox_id}/files?path=/tmp/f")
    assert "<img" not in html
    assert "&lt;img src=x" in html
    assert "⟨U+202E⟩.exe" in html
    assert "path=/tmp/f/a%20%22b%22" in html
    inner = console.page(f"/devboxes/{devbox_id}/files?path=/tmp/f/a%20%22b%22")
    assert "x%26y" in inner
    assert "<script>1" not in console.page(f"/devboxes/{devbox_id}/files/view?path=/tmp/f/a%20%22b%22/x%26y")
