"""An id of another account is answered as one that does not exist: in status, in body, and in what is looked up."""

from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from loopyard.kit.ids import new_id
from tests.unit.auth.belongings import Belongings, belongings
from tests.unit.auth.world import OPERATIONS, Operation, World, world

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

_WITH_ID = [each for each in OPERATIONS if "{" in each.path]

_BODIES: Mapping[str, Any] = {
    "devboxes": {"statuses": ["running"], "timeout_seconds": 0.01, "command": "true", "command_id": "x"},
    "executions": {"statuses": ["completed"], "timeout_seconds": 0.01, "signal": "EOF"},
}
_FILE: Mapping[str, Any] = {"file_path": "x", "path": "x", "contents": "x"}
_NAMED: Mapping[str, Any] = {
    "POST /v1/secrets/{}": {"value": "y"},
    "POST /v1/secrets/id/{}/update": {"value": "y"},
    "POST /v1/devboxes/{}/create_gateway_token": {"gateway": "x", "secret": "x"},
    "POST /v1/devboxes/{}/create_mcp_token": {"mcp_config": "x", "secret": "x"},
    "POST /v1/axons/{}/publish": {"event_type": "x", "origin": "USER_EVENT", "payload": "{}", "source": "x"},
    "POST /v1/axons/{}/sql/query": {"sql": "SELECT 1"},
    "POST /v1/axons/{}/sql/batch": {"statements": [{"sql": "SELECT 1"}]},
    "POST /v1/scenarios/scorers/{}": {"bash_script": "true", "type": "mine"},
}
"""Bodies that the operations take."""


@pytest.fixture(scope="module")
async def two(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[tuple[World, Belongings]]:
    """A server, and what another account than the first has there."""
    folder: Path = tmp_path_factory.mktemp("other")
    async with world(folder) as made:
        account_id, key = await made.account()
        yield made, await belongings(made, account_id, key)


def _given(operation: Operation) -> dict[str, Any]:
    if operation.entry.endswith("upload_file"):
        return {"files": {"file": ("name", b"x"), "path": (None, "x")}}
    if operation.method != "POST":
        return {}
    kind = "executions" if "executions" in operation.path else "devboxes"
    return {"json": _NAMED.get(operation.entry, {**_BODIES[kind], **_FILE})}


@contextmanager
def _statements(two: World) -> Generator[list[str]]:
    """What the store is asked meanwhile."""
    seen: list[str] = []

    def note(*given: Any) -> None:
        seen.append(given[2])

    engine = two.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize("operation", _WITH_ID, ids=lambda each: each.entry)
async def test_an_id_of_another_account_is_as_one_that_does_not_exist(
    operation: Operation, two: tuple[World, Belongings]
) -> None:
    made, theirs = two
    ids = theirs.of(operation)
    unknown = {name: new_id(value[:3]) if "_" in value else "NOBODYS" for name, value in ids.items()}
    found: list[tuple[int, str, list[str]]] = []
    for each in (ids, unknown, ids, unknown):  # the first two fill caches
        with _statements(made) as asked:
            answer = await made.ask(made.key, operation.method, operation.at(each), **_given(operation))
        text = answer.text
        for name, value in each.items():
            text = text.replace(value, f"<{name}>")
        found.append((answer.status_code, text, asked))
    assert found[2][0] == 404, found[2]
    assert found[2] == found[3]


async def test_nothing_of_another_account_is_listed(two: tuple[World, Belongings]) -> None:
    made, theirs = two
    for operation in OPERATIONS:
        if operation.method == "GET" and "{" not in operation.path and "watch" not in operation.path:
            answer = await made.ask(made.key, "GET", operation.path)
            assert answer.status_code == 200, operation
            shown = [value for value in theirs.known.values() if value in answer.text]
            assert shown == [], operation
