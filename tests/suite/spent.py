"""Time that a test spends on one kind of work: server starts, sandboxes, waits, builds, databases, Docker."""

import asyncio
import functools
import time
from collections import defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import anyio
from runloop_api_client.resources.blueprints import AsyncBlueprintsResource, BlueprintsResource
from runloop_api_client.resources.devboxes.devboxes import AsyncDevboxesResource, DevboxesResource

_totals: dict[str, float] = defaultdict(float)
_inner: ContextVar[list[float] | None] = ContextVar("inner", default=None)


_processor: list[float] = []


def add_processor(seconds: float) -> None:
    """Count what a processor worked for a command that has ended, and for its children."""
    _processor.append(seconds)


def take_processor() -> float:
    """The seconds of a processor since the last call."""
    total = sum(_processor)
    _processor.clear()
    return total


@contextmanager
def spent(kind: str) -> Generator[None]:
    """Count the seconds inside as `kind`. Kinds nest: an inner one is not counted in the outer one as well."""
    inner = [0.0]
    outer = _inner.get()
    _inner.set(inner)
    begun = time.perf_counter()
    try:
        yield
    finally:
        _inner.set(outer)
        elapsed = time.perf_counter() - begun
        _totals[kind] += elapsed - inner[0]
        if outer is not None:
            outer[0] += elapsed


def take_totals() -> dict[str, float]:
    """The seconds of each kind since the last call."""
    totals = {kind: round(seconds, 4) for kind, seconds in _totals.items()}
    _totals.clear()
    return totals


def count_calls() -> None:
    """Have sleeps, and the official client's calls that make devboxes and images, counted wherever tests make them."""
    _count_sync(time, "sleep", "waits")
    for module in (asyncio, anyio):
        _count_async(module, "sleep", "waits")
    for name in ("create", "create_and_await_running", "await_running", "shutdown", "suspend", "resume"):
        _count_sync(DevboxesResource, name, "sandboxes")
        _count_async(AsyncDevboxesResource, name, "sandboxes")
    for name in ("create_and_await_build_complete", "await_build_complete"):
        _count_sync(BlueprintsResource, name, "builds")
        _count_async(AsyncBlueprintsResource, name, "builds")


def _count_sync(owner: Any, name: str, kind: str) -> None:
    call: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(call)
    def counted(*args: Any, **kwargs: Any) -> Any:
        with spent(kind):
            return call(*args, **kwargs)

    setattr(owner, name, counted)


def _count_async(owner: Any, name: str, kind: str) -> None:
    call: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(call)
    async def counted(*args: Any, **kwargs: Any) -> Any:
        with spent(kind):
            return await call(*args, **kwargs)

    setattr(owner, name, counted)
