"""Flags of an instruction, by name, with their values checked."""

from collections.abc import Callable, Collection
from typing import TypeVar

from loopyard.dockerfile.errors import DockerfileError
from loopyard.dockerfile.plan import Flag, Instruction

Value = TypeVar("Value")


class Flags:
    """The flags that an instruction has.

    Raises:
        DockerfileError: It has one that it does not know, or twice one that stands once.
    """

    def __init__(self, instruction: Instruction, known: Collection[str], *, repeated: Collection[str] = ()) -> None:
        self._instruction = instruction
        self._found: dict[str, list[Flag]] = {}
        for flag in instruction.flags:
            if flag.name not in known and flag.name not in repeated:
                offered = ", ".join(f"--{name}" for name in (*known, *repeated)) or "no flags"
                raise DockerfileError(
                    flag.place, f"{instruction.name} does not know the flag --{flag.name[:60]}; it takes {offered}."
                )
            if flag.name in self._found and flag.name not in repeated:
                raise DockerfileError(flag.place, f"The flag --{flag.name} stands twice.")
            self._found.setdefault(flag.name, []).append(flag)

    def get(self, name: str) -> Flag | None:
        """The flag of that name."""
        return self._found.get(name, [None])[0]

    def every(self, name: str) -> list[Flag]:
        """All flags of that name."""
        return self._found.get(name, [])

    def text(self, name: str) -> str | None:
        """The value of a flag, which must have one."""
        flag = self.get(name)
        return None if flag is None else required(flag)

    def truth(self, name: str) -> bool:
        """The value of a flag that is on or off."""
        flag = self.get(name)
        if flag is None:
            return False
        if flag.value not in (None, "true", "false"):
            raise DockerfileError(flag.place, f"The flag --{name} is true or false.")
        return flag.value != "false"

    def value(self, name: str, parse: Callable[[str], Value], default: Value) -> Value:
        """The value of a flag, parsed."""
        flag = self.get(name)
        if flag is None:
            return default
        try:
            return parse(required(flag))
        except ValueError as error:
            raise DockerfileError(flag.place, f"--{name}: {error}.") from None


def required(flag: Flag) -> str:
    """The value of a flag that must have one."""
    if not flag.value:
        raise DockerfileError(flag.place, f"The flag --{flag.name} needs a value, as in --{flag.name}=….")
    return flag.value
