"""Facts about the image below a devbox, as rows keep them."""

from dataclasses import dataclass
from typing import Any

from loopyard.runtime.images import ImageSettings


@dataclass(frozen=True, slots=True)
class ImageNotes:
    """`user` is as the wire's `user_parameters`; `entrypoint` is empty where the image has none; `working_directory` is
    None where commands start in the user's home."""

    user: dict[str, Any] | None = None
    entrypoint: tuple[str, ...] = ()
    working_directory: str | None = None

    @classmethod
    def of(cls, settings: ImageSettings) -> "ImageNotes":
        user = settings.user
        named = None if user is None else {"uid": user.uid, "username": user.name}
        return cls(named, settings.entrypoint, settings.working_directory)

    @classmethod
    def read(cls, stored: dict[str, Any] | None) -> "ImageNotes":
        """Read a row's value; None is of an image without any."""
        if stored is None:
            return cls()
        return cls(stored["user"], tuple(stored["entrypoint"]), stored.get("working_directory"))

    @property
    def stored(self) -> dict[str, Any] | None:
        """Value to store in a row."""
        if self == ImageNotes():
            return None
        directory = {} if self.working_directory is None else {"working_directory": self.working_directory}
        return {"user": self.user, "entrypoint": list(self.entrypoint), **directory}
