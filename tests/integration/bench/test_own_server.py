"""A bench without a named server starts one, and leaves nothing behind."""

import gc
import secrets
import signal
import time
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest
from runloop_api_client import APIConnectionError, AsyncRunloop

from loopyard.bench.local_server import check_usable
from tests.integration.bench.benching import Bench, agents
from tests.integration.bench.folders import write_tiny
from tests.integration.bench.test_bench_runs import until
from tests.serving import ServerProcess, serving


@pytest.mark.anyio
async def test_a_client_for_one_call_is_closed_after_it() -> None:
    """An open one would be closed whenever it is collected, in a loop that it does not belong to."""
    before = unclosed()
    async with AsyncRunloop(base_url="http://127.0.0.1:9", bearer_token="-") as client:
        with pytest.raises(APIConnectionError):
            await check_usable(client)
    assert unclosed() <= before


def unclosed() -> set[int]:
    gc.collect()
    open_ones = [one for one in gc.get_objects() if isinstance(one, httpx.AsyncClient) and not one.is_closed]
    return {id(one) for one in open_ones}


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "suite"
    write_tiny(path)
    return path


def left_over(mark: object) -> list[str]:
    """The processes that have to do with this: it occurs in their words, or in the name of a file that they have open.

    Those are the server and its helpers, the boxes' first processes, and programs in boxes.
    """
    found: list[str] = []
    for process in psutil.process_iter():
        words = files = ""
        with suppress(psutil.Error, OSError):
            words = " ".join(process.cmdline())
            files = " ".join(str(link.readlink()) for link in Path(f"/proc/{process.pid}/fd").iterdir())
        if str(mark) in words or str(mark) in files:
            found.append(words)
    return found


def until_asleep(bench: Bench, nap: str) -> None:
    """Wait until the agent's program runs in its box (the bench itself was given the same words, among others)."""
    until(lambda: nap in left_over(nap) or bench.process.poll() is not None, 300)
    assert bench.process.poll() is None, bench.wait()


def test_a_server_is_started_for_the_time_of_the_run(suite: Path, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    ended = Bench(suite, *agents(["oracle", "nop"]), data_dir=data_dir).wait()
    assert ended.status == 0, ended.out + ended.err
    assert "starting a server" in ended.err
    assert left_over(data_dir) == []
    with serving(data_dir) as server, server.client() as client:
        runs = list(client.scenarios.runs.list(limit=20))
        assert sorted(run.metadata["agent"] for run in runs) == ["nop", "oracle"]
        assert {run.state for run in runs} == {"completed"}
        assert all(client.devboxes.retrieve(run.devbox_id).status == "shutdown" for run in runs)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_the_boxes_and_the_server(suite: Path, tmp_path: Path, number: signal.Signals) -> None:
    data_dir = tmp_path / "data"
    nap = f"sleep 300.{secrets.randbelow(10**9):09}"
    bench = Bench(suite, "--agent-command", nap, data_dir=data_dir)
    until_asleep(bench, nap)
    bench.process.send_signal(number)
    ended = bench.wait(90)
    assert ended.status == 128 + number, ended.err
    assert ended.content["results"][0]["state"] == "canceled"
    assert left_over(nap) == []
    assert left_over(data_dir) == []


def test_an_interruption_ends_boxes_that_are_being_made(suite: Path, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    nap = f"sleep 300.{secrets.randbelow(10**9):09}"
    launch = f'[environment]\nlaunch_parameters = {{ launch_commands = ["{nap}"] }}'
    write_tiny(suite, replace_1="[environment]", by_1=launch)
    bench = Bench(suite, "--agent", "nop", data_dir=data_dir)
    until_asleep(bench, nap)
    bench.process.send_signal(signal.SIGINT)
    ended = bench.wait(90)
    assert ended.status == 130, ended.err
    assert left_over(nap) == []
    assert left_over(data_dir) == []


def test_a_bench_that_is_killed_takes_its_server_along(suite: Path, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    nap = f"sleep 300.{secrets.randbelow(10**9):09}"
    bench = Bench(suite, "--agent-command", nap, data_dir=data_dir)
    until_asleep(bench, nap)
    bench.process.kill()
    bench.wait()
    until(lambda: not any(" serve " in words for words in left_over(data_dir)))
    # What was running is taken up, and ended, by the next server.
    with serving(data_dir):
        pass
    assert left_over(nap) == []
    assert left_over(data_dir) == []


def test_a_data_folder_in_use_is_told(suite: Path, server: ServerProcess) -> None:
    begun = time.monotonic()
    ended = Bench(suite, "--agent", "nop", data_dir=server.data_dir).wait()
    assert ended.status == 1
    assert "Another server uses the data folder" in ended.err
    assert time.monotonic() - begun < 30
