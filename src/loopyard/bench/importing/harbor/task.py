"""Reads Harbor's task folders. All faults are told at once, each with its file, line and field."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from loopyard.bench.importing.harbor import compose
from loopyard.bench.importing.harbor.config import TaskConfig
from loopyard.bench.importing.place import line_of, of_errors, told
from loopyard.bench.loader import FolderFault
from loopyard.bench.texts import NotText, as_script, read_exact, without_mark

CONFIG_FILE = "task.toml"
_TEMPLATE = re.compile(r"\$\{([^}:]+)(?::-(.*))?\}", re.DOTALL)
_NAMES_IN_IMAGES = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_NAMES_IN_SCRIPTS = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LINE = re.compile(r"line (\d+)")


@dataclass(frozen=True, slots=True)
class Task:
    """Task of Harbor. `text` is the whole of its `task.toml`; `variables` are those of its compose file."""

    folder: Path
    text: str
    config: TaskConfig
    instruction: str
    dockerfile: str | None
    variables: Mapping[str, str]

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
    """Read a task.

    Raises:
        FolderFault: Anything in it is missing, wrong, or more than a scenario can be.
    """
    path = folder / CONFIG_FILE
    text = without_mark(_text(path))
    try:
        config = TaskConfig.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        line = int(found[1]) if (found := _LINE.search(str(error))) else 1
        raise FolderFault([told(path, line, "", f"not valid TOML: {error}")]) from error
    except ValidationError as error:
        raise FolderFault(of_errors(path, text, error.errors(include_url=False))) from error
    faults = [told(path, line_of(text, field), ".".join(field), why) for field, why in config.unsupported()]
    statement = _part(folder / "instruction.md", faults)
    if statement is not None and not statement.strip():
        faults.append(told(folder / "instruction.md", 1, "", "is missing or empty; it says what the agent is to do"))
    if not (folder / "tests" / "test.sh").is_file():
        faults.append(told(folder / "tests" / "test.sh", 1, "", "is missing; it scores the work"))
    environment = folder / "environment"
    dockerfile = environment / "Dockerfile"
    if not dockerfile.is_file() and config.environment.docker_image is None:
        faults.append(told(dockerfile, 1, "", f"is missing, and {CONFIG_FILE} has no environment.docker_image"))
    recipe = _part(dockerfile, faults)
    variables = _of_compose(environment, faults)
    if faults:
        raise FolderFault(faults)
    return Task(folder, text, config, statement or "", as_script(recipe or "") or None, variables)


def _part(path: Path, faults: list[str]) -> str | None:
    """A file's text, empty where there is no such file; None where it cannot be read, which is told with the others."""
    try:
        return _text(path) if path.is_file() else ""
    except FolderFault as fault:
        faults += fault.faults
        return None


def _of_compose(environment: Path, faults: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in compose.FILES:
        if text := _part(environment / name, faults):
            try:
                found |= compose.variables(environment / name, text)
            except FolderFault as fault:
                faults += fault.faults
    return found


def values(task: Task, table: Mapping[str, str], *field: str) -> tuple[dict[str, str], list[str]]:
    """A table of variables as values that are known now, and names whose values whoever starts a run gives.

    `${NAME:-default}` stands for its default, `${NAME}` for what the run gives; it must have its own name.

    Raises:
        FolderFault: A variable is to have the value of another one, or a name that none can have.
    """
    names = _NAMES_IN_IMAGES if field[0] == "environment" else _NAMES_IN_SCRIPTS
    known: dict[str, str] = {}
    required: list[str] = []
    for name, value in table.items():
        if names.fullmatch(name) is None or "\0" in value:
            raise FolderFault([f"{task.at(*field, name)}{name!r} is no variable that a program can have"])
        template = _TEMPLATE.fullmatch(value)
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
        return read_exact(path)
    except OSError as error:
        raise FolderFault([told(path, 1, "", f"cannot be read: {error.strerror}")]) from error
    except NotText as error:
        raise FolderFault([told(path, error.line, "", "is not UTF-8 text; save the file as UTF-8")]) from error
