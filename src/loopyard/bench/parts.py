"""Base models of the sections of a scenario file: unknown keys are refused, and text may stand in a file of its own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator

from loopyard.bench.texts import NotText, as_script, read_exact, without_mark

FILE_SUFFIX = "_file"


class Part(BaseModel):
    """A table of a scenario file.

    The keys in `text_keys` may be given as `KEY = "text"` or as `KEY_file = "path"`, with the path relative to the
    scenario's folder. The folder is the validation context's `folder`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    text_keys: ClassVar[tuple[str, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _find_files(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        table = dict(cast("dict[str, Any]", data))
        for key in cls.text_keys:
            name = table.pop(key + FILE_SUFFIX, None)
            if name is not None:
                table[key] = _TextFile(name, given_twice=key in table)
        return table


@dataclass(frozen=True, slots=True)
class _TextFile:
    """Stands for a text until its own key is looked at, so that a fault names that key and hides no other fault."""

    name: object
    given_twice: bool


def _contents(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, _TextFile):
        return value
    if value.given_twice:
        raise ValueError(f"it is given as {info.field_name}{FILE_SUFFIX} too; keep one of them")
    folder = cast("dict[str, Path]", info.context)["folder"]
    return read_text(folder, f"{info.field_name}{FILE_SUFFIX}", value.name)


def _script(value: Any, info: ValidationInfo) -> Any:
    contents = _contents(value, info)
    return as_script(contents) if isinstance(value, _TextFile) else contents


def _solution(value: Any, info: ValidationInfo) -> Any:
    if info.data.get("type") == "script":
        return _script(value, info)
    contents = _contents(value, info)
    return without_mark(contents) if isinstance(value, _TextFile) else contents


Text = Annotated[str, BeforeValidator(_contents)]
"""The type of the keys in `text_keys`: what a file holds, to the byte."""

FilledText = Annotated[Text, Field(min_length=1)]

ScriptText = Annotated[str, BeforeValidator(_script), Field(min_length=1)]
"""The type of those that are scripts, which run also when their file was saved with `\\r\\n`."""

SolutionText = Annotated[str, BeforeValidator(_solution), Field(min_length=1)]
"""The type of one that is a script or a patch, as the key `type` before it says. Line ends of a patch are those of the
files that it changes, so they are kept."""


def read_text(folder: Path, key: str, name: object) -> str:
    """The text of a file of the folder.

    Raises:
        ValueError: The name is no text, leads out of the folder, or names no readable UTF-8 file.
    """
    if not isinstance(name, str) or not name:
        raise ValueError(f"{key} must be the path of a file, relative to the scenario's folder")
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(f"{key} = {name!r} leads out of the scenario's folder; copy the file into it")
    try:
        return read_exact(path)
    except OSError as error:
        raise ValueError(f"{key} = {name!r} cannot be read ({error.strerror}); correct the path") from error
    except NotText as error:
        raise ValueError(f"{key} = {name!r}: {error}") from error


def find_folder(folder: Path, name: object) -> Path:
    """A folder within the scenario's folder.

    Raises:
        ValueError: The name is no text, leads out of the folder, or names no folder.
    """
    if not isinstance(name, str) or not name:
        raise ValueError("it must be the path of a folder, relative to the scenario's folder")
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(f"{name!r} leads out of the scenario's folder; copy the folder into it")
    if not path.is_dir():
        raise ValueError(f"{name!r} is not a folder; correct the path")
    return path
