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
        """Add the one part of this class.

        Raises:
            ValueError: There is one already.
        """
        if kind in self._parts:
            raise ValueError(f"there are two parts {kind.__name__}")
        self._parts[kind] = part
        return part

    def get(self, kind: type[T]) -> T:
        """Return the part of this class.

        Raises:
            LookupError: There is none.
        """
        try:
            return cast("T", self._parts[kind])
        except KeyError:
            raise LookupError(f"no feature has offered {kind.__name__} before it was asked for") from None


def parts_of(app: FastAPI) -> Parts:
    return cast("Parts", app.state.parts)


def part(kind: type[T]) -> Callable[[Request], Coroutine[Any, Any, T]]:
    """A dependency that is the server's part of this class."""

    # Async, though it waits for nothing, as all of the project's dependencies: FastAPI calls others in a thread.
    async def provide(request: Request) -> T:
        return parts_of(request.app).get(kind)

    return provide
