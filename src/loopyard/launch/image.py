"""Facts about the image below a devbox, as rows keep them."""

from dataclasses import dataclass, replace
from typing import Any

from loopyard.runtime.images import ImageSettings
from loopyard.runtime.protocol import User


@dataclass(frozen=True, slots=True)
class ImageNotes:
    """`user` is as the wire's `user_parameters`; `entrypoint` is empty where the image has none; `working_directory` is
    None where commands start in the user's home. `gid` is the group that the image gives its user, None where the
    account files say it."""

    user: dict[str, Any] | None = None
    entrypoint: tuple[str, ...] = ()
    working_directory: str | None = None
    gid: int | None = None

    @classmethod
    def of(cls, settings: ImageSettings) -> "ImageNotes":
        user = settings.user
        if user is None:
            return cls(None, settings.entrypoint, settings.working_directory)
        named = {"uid": user.uid, "username": user.name}
        return cls(named, settings.entrypoint, settings.working_directory, user.gid)

    @classmethod
    def read(cls, stored: dict[str, Any] | None) -> "ImageNotes":
        """Read a row's value; None is of an image without any."""
        if stored is None:
            return cls()
        return cls(stored["user"], tuple(stored["entrypoint"]), stored.get("working_directory"), stored.get("gid"))

    def with_group(self, user: User) -> User:
        """The user, with its group if that is what the image says of it."""
        is_images = self.user == {"uid": user.uid, "username": user.name}
        return replace(user, gid=self.gid) if is_images and self.gid is not None else user

    @property
    def stored(self) -> dict[str, Any] | None:
        """Value to store in a row."""
        if self == ImageNotes():
            return None
        more = {"working_directory": self.working_directory, "gid": self.gid}
        said = {name: value for name, value in more.items() if value is not None}
        return {"user": self.user, "entrypoint": list(self.entrypoint), **said}
