"""Reads the catalog: the kinds of agents that come with Loopyard, and those of the operator's own folder."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from loopyard.agent.catalog.description import AgentDescription

KINDS = Path(__file__).parent / "kinds"


class CatalogFault(Exception):
    """A file of the catalog cannot be used; the message names it, its key and what is wrong."""


def read(file: Path) -> AgentDescription:
    """The description in one file.

    Raises:
        CatalogFault: It cannot be read, or is not a valid description.
    """
    try:
        description = AgentDescription.model_validate(tomllib.loads(file.read_bytes().decode("utf-8-sig")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CatalogFault(f"{file}: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise CatalogFault(f"{file}: {key + ': ' if key else ''}{first['msg']}") from error
    if description.name != file.stem:
        raise CatalogFault(f"{file}: name is {description.name!r}, so the file must be {description.name}.toml")
    return description


def catalog(own: Path | None = None) -> Mapping[str, AgentDescription]:
    """All kinds of agents by name. Those in the folder `own` take the place of Loopyard's of the same name.

    Raises:
        CatalogFault: A file cannot be used, or `own` is not a folder.
    """
    if own is None:
        return _built_in()
    if not own.is_dir():
        raise CatalogFault(f"{own}: is not a folder")
    return {**_built_in(), **_all_in(own)}


@cache
def _built_in() -> Mapping[str, AgentDescription]:
    return _all_in(KINDS)


def _all_in(folder: Path) -> dict[str, AgentDescription]:
    return {file.stem: read(file) for file in sorted(folder.glob("*.toml"))}
