"""Where clients reach this server, for the URLs it hands out."""

import re

from starlette.requests import Request

from loopyard.kit.errors import BadRequest
from loopyard.object.config import ObjectConfig

_HOST = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*")


def base_url(request: Request, config: ObjectConfig) -> str:
    """The URL under which the caller reached the server, without a slash at its end.

    Raises:
        BadRequest: The request names no usable host.
    """
    if config.public_url is not None:
        return config.public_url.rstrip("/")
    scheme = str(request.scope["scheme"])
    server = request.scope.get("server") or ("localhost", None)
    host = request.headers.get("host") or f"{server[0]}:{server[1]}"
    prefix = ""
    if config.trust_forwarded:
        scheme = _first(request, "x-forwarded-proto") or scheme
        host = _first(request, "x-forwarded-host") or host
        prefix = (_first(request, "x-forwarded-prefix") or "").rstrip("/")
    if scheme not in ("http", "https") or not _HOST.fullmatch(host) or not _PREFIX.fullmatch(prefix):
        raise BadRequest("host: the request names no usable host.", field="host")
    return f"{scheme}://{host}{prefix}"


def _first(request: Request, name: str) -> str | None:
    return request.headers.get(name, "").partition(",")[0].strip() or None
