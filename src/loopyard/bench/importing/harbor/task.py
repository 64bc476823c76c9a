"""Reads Harbor's task folders. All faults are told at once, each with its file, line and field."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from loopyard.bench.importing.harbor.config import TaskConfig
from loopyard.bench.importing.place import line_of, of_errors, told
from loopyard.bench.loader import FolderFault

CONFIG_FILE = "task.toml"
_TEMPLATE = re.compile(r"^\$\{([^}:]+)(?::-(.*))?\}$")
_LINE = re.compile(r"line (\d+)")
_COMPOSE = ("docker-compose.yaml", "docker-compose.yml", "compose.yaml", "compose.yml")


@dataclass(frozen=True, slots=True)
class Task:
    """One task. `text` is the whole of its `task.toml`."""

    folder: Path
    text: str
    config: TaskConfig
    instruction: str
    dockerfile: str | None

    @property
    def name(self) -> str:
        return self.config.task.name if self.config.task is not None else self.folder.resolve().name

    @property
    def has_solution(self) -> bool:
        return (self.folder / "solution" / "solve.sh").is_file()

    def at(self, *field: str) -> str:
        """The beginning of a fault: file, line and field."""
        return told(self.folder / CONFIG_FILE, line_of(self.text, field), ".".join(field), "")


def find(folder: Path) -> list[Path]:
    """The folder itself if it is a task's, else the tasks' folders in it, by their names.

    Raises:
        FolderFault: There are none.
    """
    if (folder / CONFIG_FILE).is_file():
        return [folder]
    found = sorted(path.parent for path in folder.glob(f"*/{CONFIG_FILE}"))
    if not found:
        raise FolderFault([f"{folder} has no {CONFIG_FILE}, nor has any folder in it; name a folder of Harbor tasks"])
    return found


def read(folder: Path) -> Task:
    """One task.

    Raises:
        FolderFault: Anything in it is missing, wrong, or more than a scenario can be.
    """
    path = folder / CONFIG_FILE
    text = _text(path)
    try:
        config = TaskConfig.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        line = int(found[1]) if (found := _LINE.search(str(error))) else 1
        raise FolderFault([told(path, line, "", f"not valid TOML: {error}")]) from error
    except ValidationError as error:
        raise FolderFault(of_errors(path, text, error.errors(include_url=False))) from error
    faults = [told(path, line_of(text, field), ".".join(field), why) for field, why in config.unsupported()]
    instruction = folder / "instruction.md"
    statement = instruction.read_text(encoding="utf-8") if instruction.is_file() else ""
    if not statement.strip():
        faults.append(told(instruction, 1, "", "is missing or empty; it says what the agent is to do"))
    if not (folder / "tests" / "test.sh").is_file():
        faults.append(told(folder / "tests" / "test.sh", 1, "", "is missing; it scores the work"))
    environment = folder / "environment"
    faults += [
        told(environment / name, 1, "", "a scenario is one box; several services cannot be imported")
        for name in _COMPOSE
        if (environment / name).exists()
    ]
    dockerfile = environment / "Dockerfile"
    if not dockerfile.is_file() and config.environment.docker_image is None:
        faults.append(told(dockerfile, 1, "", f"is missing, and {CONFIG_FILE} has no environment.docker_image"))
    if faults:
        raise FolderFault(faults)
    return Task(folder, text, config, statement, _text(dockerfile) if dockerfile.is_file() else None)


def values(task: Task, table: Mapping[str, str], *field: str) -> tuple[dict[str, str], list[str]]:
    """A table of variables as values that are known now, and names whose values whoever starts a run gives.

    `${NAME:-default}` stands for its default, `${NAME}` for what the run gives; it must have its own name.

    Raises:
        FolderFault: A variable is to have the value of another one.
    """
    known: dict[str, str] = {}
    required: list[str] = []
    for name, value in table.items():
        template = _TEMPLATE.match(value)
        if template is None:
            known[name] = value
        elif template[2] is not None:
            known[name] = template[2]
        elif template[1] == name:
            required.append(name)
        else:
            raise FolderFault([f"{task.at(*field, name)}has the value of {template[1]}; give both the same name"])
    return known, required


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise FolderFault([told(path, 1, "", f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise FolderFault([told(path, 1, "", "is not UTF-8 text")]) from error
