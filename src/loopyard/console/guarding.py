"""Rules for every answer of the console: headers that keep a browser from running what the page did not bring, and
a bound on what is sent here."""

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from loopyard.auth.caller import OPERATION
from loopyard.console.errors import unexpected

MOST_FORM_BYTES = 1 << 20
"""How long a form may be. Uploads of files are no forms: they are streamed."""
UPLOAD = "/upload"
"""Suffix of the paths of uploads."""

POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; img-src 'self'"
)
_HEADERS = {
    b"content-security-policy": POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
}


class GuardMiddleware:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope[OPERATION] = None  # what looks at a page is no operation, until a page says which it is

        has_begun = False

        async def send_guarded(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                given = {name.lower() for name, _ in headers}
                headers += [pair for pair in _HEADERS.items() if pair[0] not in given]
                if b"cache-control" not in given:
                    headers.append((b"cache-control", b"no-store"))
                message = {**message, "headers": headers}
            await send(message)

        if (refusal := _refusal(scope)) is not None:
            await refusal(scope, receive, send_guarded)
            return
        try:
            await self._app(scope, receive, send_guarded)
        except Exception as error:
            if has_begun:
                raise
            await unexpected(scope, receive, send_guarded, error)


def _refusal(scope: Scope) -> PlainTextResponse | None:
    if scope["method"] in ("GET", "HEAD") or scope["path"].endswith(UPLOAD):
        return None
    headers = dict(scope["headers"])
    length = headers.get(b"content-length", b"" if b"transfer-encoding" in headers else b"0")
    if not length.isdigit():
        return PlainTextResponse("A form's length has to be known: send Content-Length.", 411)
    if int(length) > MOST_FORM_BYTES:
        return PlainTextResponse(f"A form may have {MOST_FORM_BYTES} bytes.", 413)
    return None
