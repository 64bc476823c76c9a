"""Debian's Chromium on the console of a real server, and a rule for all its pages: nothing is run that the page did not
bring, and no accessibility rule is broken."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Error, Page, sync_playwright

from tests.serving import ServerProcess

ROOT = Path(__file__).parents[3]
CHROMIUM = Path("/usr/bin/chromium")
_NETWORK_CHANGED = "ERR_NETWORK_CHANGED"
_ERROR_PAGE = "chrome-error:"
_BROKEN_STREAM = "Event"
"""All that htmx writes of a stream that broke."""
AXE = ROOT / ".loopyard/console/node_modules/axe-core/axe.min.js"


@pytest.fixture(scope="session")
def axe() -> str:
    """The checker's script; fetched if `./run setup` was not run here."""
    if not AXE.exists():
        subprocess.run([sys.executable, ROOT / "scripts/console/fetch.py"], check=True, capture_output=True)
    return AXE.read_text()


@pytest.fixture(scope="session")
def browser() -> Generator[Browser]:
    with sync_playwright() as playwright:
        # Root's Chromium has no sandbox of its own.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: LOOPYARD_SCREENSHOTS, or a temporary folder."""
    given = os.environ.get("LOOPYARD_SCREENSHOTS")
    folder = Path(given) if given else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Watched:
    """A page, and what it must not do."""

    def __init__(self, page: Page, base_url: str, axe: str) -> None:
        self.page = page
        self.base_url = base_url
        self._faults: list[str] = []
        self._axe = axe
        self._disturbed = self._was_disturbed = False
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._faults.append(f"error: {error}"))
        page.on("dialog", self._dialog)
        page.on("request", lambda request: self._request(request.url))

    @property
    def faults(self) -> list[str]:
        """What it did all the same. A change of the host's networks breaks streams, too."""
        return [one for one in self._faults if one != f"console: {_BROKEN_STREAM}" or not self._was_disturbed]

    def _dialog(self, dialog: Dialog) -> None:
        self._faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _console(self, message: ConsoleMessage) -> None:
        if _NETWORK_CHANGED in message.text:
            self._disturbed = self._was_disturbed = True
        elif message.type == "error" and "status of" not in message.text:
            self._faults.append(f"console: {message.text}")

    def _request(self, url: str) -> None:
        if not url.startswith((self.base_url, self.base_url.replace("http", "ws"))):
            self._faults.append(f"asked for {url}")

    def go(self, path: str) -> None:
        """Open a page of the console. Chromium drops what it loads whenever a network comes or goes on this host, as
        with each devbox: the page is opened again then."""
        for left in reversed(range(10)):
            self._disturbed = False
            try:
                self.page.goto(f"{self.base_url}/console{path}")
            except Error as error:
                if not left or not (_NETWORK_CHANGED in error.message or _ERROR_PAGE in error.message):
                    raise
                self._disturbed = self._was_disturbed = True
            if not self._disturbed:
                return

    def violations(self) -> list[str]:
        """The accessibility rules that the page breaks."""
        # What a debugger evaluates is not bound by the page's policy.
        self.page.evaluate(self._axe + "\n;0")
        found: Any = self.page.evaluate("axe.run()")
        return [
            f"{self.page.url} {each['id']}: {json.dumps([node['html'][:200] for node in each['nodes'][:3]])}"
            for each in found["violations"]
        ]


@pytest.fixture
def log_in(browser: Browser, server: ServerProcess, axe: str) -> Generator[Callable[..., Watched]]:
    """Open a window and log in; more than one at a time, if a test asks for it again."""
    contexts: list[BrowserContext] = []
    pages: list[Watched] = []

    def log_in(scheme: str = "light", width: int = 1280) -> Watched:
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})  # type: ignore[arg-type]
        contexts.append(context)
        watched = Watched(context.new_page(), server.base_url, axe)
        pages.append(watched)
        watched.go("/")
        watched.page.fill("#key", server.api_key)
        watched.page.click("button.main")
        watched.page.wait_for_url("**/console/")
        return watched

    yield log_in
    for context in contexts:
        context.close()
    assert [fault for page in pages for fault in page.faults] == []
