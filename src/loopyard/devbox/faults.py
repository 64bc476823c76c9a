"""Answers of the API for errors of the runtime."""

from collections.abc import Generator
from contextlib import contextmanager

from loopyard.kit.errors import BadRequest, Forbidden, LoopyardError, NotFound, StorageFull, Unavailable, WrongState
from loopyard.runtime import errors as runtime_errors

_MEANING: dict[type[runtime_errors.RuntimeFault], type[LoopyardError]] = {
    runtime_errors.SandboxNotFound: WrongState,
    runtime_errors.SandboxNotRunning: WrongState,
    runtime_errors.ImageNotFound: Unavailable,
    runtime_errors.CommandNotFound: NotFound,
    runtime_errors.FileNotFound: NotFound,
    runtime_errors.FileAccessDenied: Forbidden,
    runtime_errors.FileUnsuitable: BadRequest,
    runtime_errors.NoSpaceLeft: BadRequest,
    runtime_errors.HostDiskFull: StorageFull,
}


@contextmanager
def faults_as_answers(field: str | None = None) -> Generator[None]:
    """Raise what the runtime raises as the API's errors, naming the request's `field` where that is at fault."""
    try:
        yield
    except runtime_errors.RuntimeFault as fault:
        meaning = _MEANING.get(type(fault), Unavailable)
        raise meaning(str(fault), field=field if meaning in (NotFound, Forbidden, BadRequest) else None) from fault
