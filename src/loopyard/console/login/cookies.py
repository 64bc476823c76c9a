"""The cookies of the console. Behind TLS their names begin with `__Host-`, so that no other host can set them."""

from starlette.requests import HTTPConnection
from starlette.responses import Response

_NAME = "loopyard-console"
_FORM_NAME = "loopyard-login"


def is_secure(request: HTTPConnection) -> bool:
    """True if the browser reached the server by TLS, here or at a proxy."""
    forwarded = request.headers.get("x-forwarded-proto", "").split(",")[0].strip()
    return request.url.scheme in ("https", "wss") or forwarded == "https"


def _full(name: str, request: HTTPConnection) -> str:
    return f"__Host-{name}" if is_secure(request) else name


def token_of(request: HTTPConnection) -> str | None:
    """The session's token that a request or WebSocket has."""
    return request.cookies.get(_full(_NAME, request)) or None


def form_token_of(request: HTTPConnection) -> str | None:
    """The token that the login form was sent with."""
    return request.cookies.get(_full(_FORM_NAME, request)) or None


def _set(request: HTTPConnection, response: Response, name: str, value: str, seconds: int) -> None:
    response.set_cookie(
        _full(name, request),
        value,
        max_age=seconds,
        path="/" if is_secure(request) else "/console",  # browsers want / for names with __Host-
        secure=is_secure(request),
        httponly=True,
        samesite="strict",
    )


def set_token(request: HTTPConnection, response: Response, token: str, seconds: int) -> None:
    _set(request, response, _NAME, token, seconds)


def clear_token(request: HTTPConnection, response: Response) -> None:
    _set(request, response, _NAME, "", 0)


def set_form_token(request: HTTPConnection, response: Response, token: str) -> None:
    _set(request, response, _FORM_NAME, token, 3600)
