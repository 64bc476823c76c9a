"""Check of the path of a request."""

from fastapi import Request

from loopyard.kit.errors import NotFound

_ID_LENGTH = 64
"""Length that the store's columns for ids hold."""


async def refuse_impossible(request: Request) -> None:
    """A dependency of every operation: no id holds a NUL character or is longer than its column, and PostgreSQL does
    not even take such a one.

    Raises:
        NotFound: The path has one.
    """
    ids = (value for name, value in request.path_params.items() if name == "id" or name.endswith("_id"))
    if "\x00" in request.scope["path"] or any(len(value) > _ID_LENGTH for value in ids):
        raise NotFound("There is nothing at this path.")
