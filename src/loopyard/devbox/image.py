"""What the image below a devbox says of itself, as rows keep it."""

from dataclasses import dataclass
from typing import Any

from loopyard.runtime.images import ImageSettings


@dataclass(frozen=True, slots=True)
class ImageNotes:
    """`user` is as the wire's `user_parameters`; `entrypoint` is empty where the image has none."""

    user: dict[str, Any] | None = None
    entrypoint: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: ImageSettings) -> "ImageNotes":
        user = settings.user
        return cls(None if user is None else {"uid": user.uid, "username": user.name}, settings.entrypoint)

    @classmethod
    def read(cls, stored: dict[str, Any] | None) -> "ImageNotes":
        """What a row has; None is of an image that says nothing."""
        return cls() if stored is None else cls(stored["user"], tuple(stored["entrypoint"]))

    @property
    def stored(self) -> dict[str, Any] | None:
        """What a row is given."""
        if self.user is None and not self.entrypoint:
            return None
        return {"user": self.user, "entrypoint": list(self.entrypoint)}
