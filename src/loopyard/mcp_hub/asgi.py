"""Answers a request of a devbox by an ASGI application."""

from starlette.types import ASGIApp, Message, Scope

from loopyard.upstream_proxy.hop import Field
from loopyard.upstream_proxy.wire.caller import Request
from loopyard.upstream_proxy.wire.message import AnswerHead


async def answer(app: ASGIApp, request: Request, body: bytes) -> list[Field]:
    """Have the application answer; `body` is the request's, which was read already. Returns the answer's fields."""
    answered: list[Field] = []
    path, _, query = request.target.partition("?")
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.lower],
        "client": (request.source, 0),
        "server": None,
    }
    told = False

    async def receive() -> Message:
        nonlocal told
        if not told:
            told = True
            return {"type": "http.request", "body": body, "more_body": False}
        await request.gone()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            fields: list[Field] = [
                (name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"]
            ]
            answered.extend(fields)
            await request.respond(AnswerHead(message["status"], "", fields))
            return
        if message.get("body"):
            await request.send(message["body"])
        if not message.get("more_body", False):
            await request.finish([])

    await app(scope, receive, send)
    return answered
