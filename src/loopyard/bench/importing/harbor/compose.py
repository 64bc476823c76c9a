"""Compose files of tasks: variables of the one box that a scenario has. More cannot be imported."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import yaml

from loopyard.bench.importing.place import told
from loopyard.bench.loader import FolderFault
from loopyard.bench.texts import without_mark

FILES = ("docker-compose.yaml", "docker-compose.yml", "compose.yaml", "compose.yml")
MAIN = "main"
"""Harbor's name of the service that the agent works in."""

_ONE_BOX = "a scenario is one box; several services cannot be imported"
_ONLY_VARIABLES = "only variables of the service main can be imported; put the rest into the Dockerfile"


def variables(path: Path, text: str) -> dict[str, str]:
    """The variables of the service `main`, as templates of task.toml are written: `${NAME}` or `${NAME:-default}` for
    one that whoever starts a run gives.

    Raises:
        FolderFault: It is no compose file, or asks for more than variables of `main`; all faults are told.
    """
    try:
        node: Any = cast("Any", yaml).compose(without_mark(text), Loader=yaml.SafeLoader)
        content: Any = yaml.safe_load(without_mark(text))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
        raise FolderFault([told(path, line, "", f"not valid YAML: {error.problem}")]) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise FolderFault([told(path, 1, "", f"not valid YAML: {error}")]) from error
    faults = [told(path, _line(node, field), ".".join(field), why) for field, why in _unsupported(content)]
    if faults:
        raise FolderFault(faults)
    services = _table(_table(content).get("services"))
    return _environment(path, node, _table(services.get(MAIN)).get("environment"))


def _unsupported(content: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    if content is not None and not isinstance(content, dict):
        yield (), "a compose file is a mapping with the key services"
        return
    for key in _table(content):
        if key not in ("services", "version", "name") and not str(key).startswith("x-"):
            yield (str(key),), _ONLY_VARIABLES
    services = _table(content).get("services")
    if services is not None and not isinstance(services, dict):
        yield ("services",), "is a mapping of services by name"
    for name, service in _table(services).items():
        if name != MAIN:
            yield ("services", str(name)), _ONE_BOX
        for key in _table(service) if name == MAIN else ():
            if key != "environment":
                yield ("services", MAIN, str(key)), _ONLY_VARIABLES


def _environment(path: Path, node: Any, given: Any) -> dict[str, str]:
    field = ("services", MAIN, "environment")
    pairs: list[tuple[str, Any]] = []
    if isinstance(given, dict):
        pairs = [(str(name), value) for name, value in cast("dict[Any, Any]", given).items()]
    elif isinstance(given, list):
        for entry in cast("list[Any]", given):
            name, sign, value = str(entry).partition("=")
            pairs.append((name, value if sign else None))
    elif given is not None:
        raise FolderFault([told(path, _line(node, field), ".".join(field), "is a list or a mapping of variables")])
    found: dict[str, str] = {}
    for name, value in pairs:
        if isinstance(value, bool | dict | list):
            fault = f"the value of {name} is no text; put it in quotes"
            raise FolderFault([told(path, _line(node, (*field, name)), ".".join(field), fault)])
        found[name] = f"${{{name}}}" if value is None else str(value)
    return found


def _table(value: Any) -> dict[Any, Any]:
    return cast("dict[Any, Any]", value) if isinstance(value, dict) else {}


def _line(node: Any, field: tuple[str, ...]) -> int:
    """The line of a key, counted from 1; that of the nearest one above it where it is none of a mapping."""
    line = 1
    for key in field:
        if not isinstance(node, yaml.MappingNode):
            break
        pairs = cast("list[tuple[Any, Any]]", node.value)
        found = next(((one, below) for one, below in pairs if str(one.value) == key), None)
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line
