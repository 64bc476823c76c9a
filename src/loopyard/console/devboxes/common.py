"""Parts of all pages of one devbox: its head, its tabs, and what may be done with it."""

from collections.abc import Sequence
from dataclasses import dataclass

from loopyard.console.page import Page
from loopyard.devbox import endpoints as api
from loopyard.devbox.lifecycle.states import FINAL
from loopyard.devbox.schemas import DevboxView
from loopyard.devbox.service import DevboxService

WRITE = "POST /v1/devboxes/{}"


@dataclass(frozen=True, slots=True)
class Tab:
    title: str
    path: str
    operation: str


_TABS = (
    Tab("State", "", "GET /v1/devboxes/{}"),
    Tab("Log", "/log", "GET /v1/devboxes/{}/logs"),
    Tab("Commands", "/commands", "GET /v1/devboxes/{}/executions/{}"),
    Tab("Files", "/files", "POST /v1/devboxes/{}/download_file"),
    Tab("Terminal", "/terminal", "POST /v1/devboxes/{}/create_pty_tunnel"),
)


def tabs(page: Page) -> Sequence[Tab]:
    return [tab for tab in _TABS if page.may(tab.operation)]


def is_over(devbox: DevboxView) -> bool:
    return devbox.status in FINAL


async def read(page: Page, devbox_id: str) -> DevboxView:
    """The devbox as the caller may see it.

    Raises:
        NotFound: The account has none of this id.
    """
    async with page.database.read() as session:
        return await api.retrieve(devbox_id, page.caller, session, page.parts.get(DevboxService))
