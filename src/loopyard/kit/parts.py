"""Gives endpoints the long-lived parts that the assembly made."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

from fastapi import FastAPI, Request

T = TypeVar("T")


class Parts:
    """The parts of one running server, each known by its class."""

    def __init__(self) -> None:
        self._parts: dict[Any, Any] = {}

    def add(self, kind: type[T], part: T) -> T:
        self._parts[kind] = part
        return part

    def get(self, kind: type[T]) -> T:
        return cast("T", self._parts[kind])


def parts_of(app: FastAPI) -> Parts:
    return cast("Parts", app.state.parts)


def part(kind: type[T]) -> Callable[[Request], Coroutine[Any, Any, T]]:
    """A dependency that is the server's part of this class."""

    # Async, though it waits for nothing, as all of the project's dependencies: FastAPI calls others in a thread.
    async def provide(request: Request) -> T:
        return parts_of(request.app).get(kind)

    return provide
