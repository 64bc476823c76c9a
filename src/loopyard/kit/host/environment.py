"""Environment variables: which ones a Linux kernel takes when it starts a program."""

from collections.abc import Mapping

from loopyard.kit.errors import BadRequest

MOST_VARIABLE_BYTES = 128 * 1024 - 2
"""Limit on a variable's name and value together: the kernel takes `NAME=value` and a NUL in 128 KiB."""

MOST_ENVIRONMENT_BYTES = 1792 * 1024
"""Limit on all variables of a devbox. The kernel takes 2 MiB of variables and arguments; the rest is left to a
command's text and to what the image and the server set."""

_MORE_BYTES = 10
"""Bytes of a variable beside its name and value: the sign between them, the NUL behind, and a pointer."""


def check_environment(variables: Mapping[str, str] | None, field: str) -> None:
    """See that programs can be started with these variables. `field` is what the request calls them.

    Raises:
        BadRequest: One has a name or a size that the kernel does not take, or all together are too large.
    """
    _refuse(fault_of_environment(variables or {}), field)


def check_sizes(sizes: Mapping[str, int], field: str) -> None:
    """See that variables fit into one environment, by their names and the bytes of their values.

    Raises:
        BadRequest: One is too large, or all together are.
    """
    _refuse(_fault_of_sizes(sizes), field)


def fault_of_environment(variables: Mapping[str, str]) -> str | None:
    """Why no program can be started with these variables; None if one can."""
    for name, value in variables.items():
        if (fault := fault_of_variable(name, value)) is not None:
            return fault
    return _fault_of_sizes({name: len(value.encode()) for name, value in variables.items()})


def fault_of_variable(name: str, value: str) -> str | None:
    """Why no program can be started with this variable; None if one can."""
    if not name:
        return "a variable has an empty name"
    if (found := _held_by_name(name)) is not None:
        return f"{_shown(name)} cannot be the name of a variable: it holds {found}"
    if "\x00" in value:
        return f"the value of {_shown(name)} holds a NUL character"
    try:
        name.encode()
        return _fault_of_size(name, len(value.encode()))
    except UnicodeEncodeError:
        return f"the variable {_shown(name)} is not valid Unicode"


def _refuse(fault: str | None, field: str) -> None:
    if fault is not None:
        raise BadRequest(f"{field}: {fault}.", field=field)


def _fault_of_sizes(sizes: Mapping[str, int]) -> str | None:
    for name, size in sizes.items():
        if (fault := _fault_of_size(name, size)) is not None:
            return fault
    total = sum(len(name.encode()) + size + _MORE_BYTES for name, size in sizes.items())
    if total <= MOST_ENVIRONMENT_BYTES:
        return None
    return (
        f"all variables together have {total:,} bytes, and no program can be started with more than "
        f"{MOST_ENVIRONMENT_BYTES:,}; put longer text into files"
    )


def _fault_of_size(name: str, value_bytes: int) -> str | None:
    if (size := len(name.encode()) + value_bytes) <= MOST_VARIABLE_BYTES:
        return None
    return (
        f"the variable {_shown(name)} has {size:,} bytes with its name, and no program can be started with more than "
        f"{MOST_VARIABLE_BYTES:,}; put longer text into a file"
    )


def _held_by_name(name: str) -> str | None:
    if "=" in name:
        return "an equals sign"
    if "\x00" in name:
        return "a NUL character"
    if any(sign.isspace() or ord(sign) < 0x20 or ord(sign) == 0x7F for sign in name):
        return "white space or a control character"
    return None


def _shown(name: str) -> str:
    """A name as messages have it: short, and in one line."""
    text = name if name.isprintable() else ascii(name)[1:-1]
    return text if len(text) <= 64 else f"{text[:61]}..."
