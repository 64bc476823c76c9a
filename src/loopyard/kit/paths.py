"""What the path of a request may hold."""

from fastapi import Request

from loopyard.kit.errors import NotFound


async def refuse_impossible(request: Request) -> None:
    """A dependency of every operation: no id holds a NUL character, and PostgreSQL does not even take one to look for.

    Raises:
        NotFound: The path has one.
    """
    if "\x00" in request.scope["path"]:
        raise NotFound("There is nothing at this path.")
