"""Lets a part that is used inside another request name its fields as that request does."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager

from loopyard.kit.errors import LoopyardError


@contextmanager
def renamed(prefix: str, names: Mapping[str, str] | None = None) -> Generator[None]:
    """Put `prefix` before the field that an error raised inside names, and first give it another name by `names`,
    which is looked up by the field's first part."""
    try:
        yield
    except LoopyardError as error:
        if error.field is None:
            raise
        first, dot, rest = error.field.partition(".")
        field = f"{prefix}{(names or {}).get(first, first)}{dot}{rest}"
        message = error.message.removeprefix(f"{error.field}: ")
        raise type(error)(f"{field}: {message}", field=field) from error
