"""A full disk of the host is told as such, in the API's one shape of errors."""

import errno

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from runloop_api_client import APIStatusError, Runloop
from sqlalchemy.exc import OperationalError

from loopyard.kit.errors import StorageFull
from loopyard.kit.host import host_room
from loopyard.kit.http import error_handlers
from tests.integration.api.answers import error_of
from tests.integration.devbox.waiting import POLL

pytestmark = pytest.mark.anyio

FULL = [
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EDQUOT, "Disk quota exceeded"),
    OperationalError("INSERT", {}, Exception("database or disk is full")),
]


@pytest.mark.parametrize("error", FULL, ids=["no-space", "quota", "sqlite"])
async def test_a_full_disk_below_any_call_is_507(error: Exception) -> None:
    app = FastAPI()
    error_handlers.install(app)

    @app.get("/")
    async def fail() -> None:
        raise error

    assert fail
    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        answer = await client.get("/")
    assert answer.status_code == 507
    assert answer.json()["code"] == StorageFull.code
    assert "No space" not in answer.json()["message"]
    assert answer.headers["x-should-retry"] == "false"


async def test_another_error_of_the_host_is_not_taken_for_that() -> None:
    app = FastAPI()
    error_handlers.install(app)

    @app.get("/")
    async def fail() -> None:
        raise OSError(errno.EACCES, "Permission denied")

    assert fail
    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        answer = await client.get("/")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")


def test_nothing_new_is_begun_on_a_disk_that_is_nearly_full(api: Runloop, monkeypatch: pytest.MonkeyPatch) -> None:
    box = api.devboxes.create_and_await_running(polling_config=POLL).id

    def nearly_full(_: object) -> bool:
        return False

    with monkeypatch.context() as disk:
        disk.setattr(host_room, "has_room", nearly_full)
        for begin in (
            api.devboxes.create,
            lambda: api.devboxes.execute_async(box, command="true"),
            lambda: api.objects.create(name="one", content_type="text"),
            lambda: api.devboxes.snapshot_disk_async(box),
        ):
            with pytest.raises(APIStatusError) as refused:
                begin()
            assert refused.value.status_code == 507
            assert error_of(refused.value)["code"] == "insufficient_storage"
        assert api.devboxes.retrieve(box).status == "running"
        assert api.devboxes.shutdown(box).status == "shutdown"  # what makes room is let through
