"""Base class of every error that a caller may see, and its shape on the wire."""

from typing import Any

from pydantic import BaseModel, Field


class ErrorView(BaseModel):
    """The body of every answer that is not a success."""

    code: str = Field(description="What kind of error it is, in snake_case; fit for a program to decide on.")
    message: str = Field(description="What happened and what to do about it, for a person to read.")
    field: str | None = Field(default=None, description="The parameter or body field at fault, dotted, if one is.")


class LoopyardError(Exception):
    """Base of the errors that become an answer. Subclasses fix `status` (HTTP) and `code`."""

    status = 500
    code = "internal_error"
    retryable: bool | None = None
    """True if the official clients should try again by themselves; None leaves it to their own rules."""
    retry_after_seconds: int | None = None
    """When they should, if they do; None leaves that to their own rules, too."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field

    def body(self) -> dict[str, Any]:
        return ErrorView(code=self.code, message=self.message, field=self.field).model_dump(exclude_none=True)


class BadRequest(LoopyardError):
    status = 400
    code = "invalid_request"


class Unauthorized(LoopyardError):
    status = 401
    code = "unauthorized"


class Forbidden(LoopyardError):
    status = 403
    code = "forbidden"


class NotFound(LoopyardError):
    status = 404
    code = "not_found"


class WaitTimeout(LoopyardError):
    """A long poll's time passed without a match. The clients' own helpers ask again."""

    status = 408
    code = "wait_timeout"


class WrongState(LoopyardError):
    """The resource is in a state that does not allow the call, and trying again would not change that."""

    status = 409
    code = "wrong_state"
    retryable = False


class RequestKeyReused(LoopyardError):
    """An `x-request-id` came with another request than before. The one that came first was carried out, this one was
    not."""

    status = 409
    code = "request_id_reused"
    retryable = False

    def __init__(self, key: str) -> None:
        super().__init__(
            f"x-request-id: {key[:80]!r} was sent before with another path or body, so this request was not carried "
            "out. Send the same value only to repeat a request as it was, and a new one for each other request.",
            field="x-request-id",
        )


class Busy(LoopyardError):
    """The resource is busy for now; the same call succeeds later."""

    status = 409
    code = "busy"


class TooLarge(LoopyardError):
    status = 413
    code = "too_large"


class StorageFull(LoopyardError):
    """The disk of the host has no room for what the call would write. The same call succeeds once there is room."""

    status = 507
    code = "insufficient_storage"
    retryable = False


class Unavailable(LoopyardError):
    """The infrastructure could not do its part. Not the caller's fault."""

    status = 503
    code = "infrastructure_failure"
