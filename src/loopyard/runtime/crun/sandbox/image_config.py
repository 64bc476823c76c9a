"""Settings of an image: environment, working directory and user, kept as JSON beside its folder."""

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from loopyard.runtime.layout import read_json, write_whole
from loopyard.runtime.protocol import User


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """`cwd` None leaves it to the user's home; `user` None to whoever makes a sandbox."""

    environment: dict[str, str] = field(default_factory=dict[str, str])
    cwd: str | None = None
    user: User | None = None
    entrypoint: list[str] = field(default_factory=list[str])
    command: list[str] = field(default_factory=list[str])
    """ENTRYPOINT and CMD."""


Version = tuple[int, int, int]
"""Tells one file with settings from another of the same name."""


def version(root: Path) -> Version | None:
    """The version of the settings of the image in the folder `root`; None where none are kept."""
    try:
        found = _file(root).stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def read(root: Path) -> ImageConfig:
    """Settings of the image in the folder `root`; empty, where none are kept."""
    return known(root) or ImageConfig()


def known(root: Path) -> ImageConfig | None:
    """Settings of the image in the folder `root`; None where none are kept."""
    kept: dict[str, Any] | None = read_json(_file(root))
    if kept is None or kept.keys() != {one.name for one in fields(ImageConfig)}:
        return None  # or kept by another version
    user = kept.pop("user")
    return ImageConfig(**kept, user=User(**user) if user else None)


def write(root: Path, config: ImageConfig) -> None:
    write_whole(_file(root), asdict(config))


def _file(root: Path) -> Path:
    return root.with_name(f"{root.name}.json")
