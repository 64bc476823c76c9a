"""The page that a request asks for: who looks at it, what they may do, and how it is rendered."""

import hmac
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, cast
from urllib.parse import quote, urlsplit

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.datastructures import FormData
from starlette.requests import HTTPConnection

from loopyard.auth.acting import Caller, act_for, lacking
from loopyard.auth.authenticator import Authenticator, RefusedKey
from loopyard.auth.caller import CALLER, OPERATION
from loopyard.auth.operations import OPERATIONS, changes
from loopyard.connections.limits import let_in
from loopyard.console.live import Fragment, Live
from loopyard.console.login.cookies import token_of
from loopyard.console.login.sessions import Session, Sessions
from loopyard.console.rendering import render
from loopyard.kit.db.database import Database
from loopyard.kit.errors import BadRequest, Forbidden, LoopyardError
from loopyard.kit.http.in_flight import mark
from loopyard.kit.http.parts import Parts, parts_of
from loopyard.kit.http.sse import MessageStream

LOGIN = "/console/login"
PAGE = "loopyard.console.page"
"""In the scope of a request: its `Page`, once that is known."""


class NotLoggedIn(LoopyardError):
    status = 401
    code = "unauthorized"


class Page:
    """Visitor of the console, which a handler is given in place of a caller."""

    def __init__(self, request: Request, caller: Caller, session: Session) -> None:
        self.request = request
        self.caller = caller
        self.session = session

    @property
    def parts(self) -> Parts:
        return parts_of(self.request.app)

    @property
    def database(self) -> Database:
        return self.parts.get(Database)

    @property
    def is_htmx(self) -> bool:
        return self.request.headers.get("hx-request") == "true"

    @property
    def is_operator(self) -> bool:
        """True if the caller's key may do everything in the server's own account."""
        return self.caller.scopes is None and self.session.is_of_server

    def check_token(self, given: str | None) -> None:
        """See that a change was asked for by a page of this session, which knows its token.

        Raises:
            Forbidden: It was not.
        """
        if given is None or not hmac.compare_digest(given.encode(errors="replace"), self.session.csrf.encode()):
            words = "The page was out of date, so nothing was changed. Load it anew and try again."
            raise Forbidden(words, field="csrf")

    def may(self, operation: str) -> bool:
        """True if the caller may call this operation of the API, such as `POST /v1/devboxes/{}/suspend`: what they
        may not is not offered."""
        return missing(self.caller, operation) is None

    def need(self, operation: str) -> None:
        """See that the caller may call this operation of the API, and have the request noted as one.

        Raises:
            Forbidden: They may not.
        """
        error = missing(self.caller, operation)
        # A page that only offers a change is no change.
        looks = self.request.method in ("GET", "HEAD") and changes(operation)
        self.request.scope[OPERATION] = None if looks and error is None else operation
        if error is not None:
            raise error

    def html(self, template: str, /, **context: Any) -> str:
        """A template as HTML: `page` is this, beside what is given."""
        return render(template, {"page": self, **self._chrome(), **context})

    def render(self, template: str, /, *, http_status: int = 200, **context: Any) -> HTMLResponse:
        """An answer with a template as HTML."""
        return HTMLResponse(self.html(template, **context), http_status)

    def _chrome(self) -> Mapping[str, Any]:
        return {"csrf": self.session.csrf, "path": self.request.url.path}

    def live(self, *fragments: Fragment) -> MessageStream:
        """An answer with the fragments as server-sent events, each again whenever it has changed."""
        return MessageStream(self.parts.get(Live).stream(self.caller, self.session, fragments))

    def redirect(self, path: str, *, note: str | None = None) -> RedirectResponse:
        """Go on with another page, by GET. `path` is whole, such as `/console/devboxes`; `note` is shown there."""
        if note is not None:
            self.session.note = note
        return RedirectResponse(path, 303)

    def take_note(self) -> str | None:
        """Message of the change before; once."""
        note, self.session.note = self.session.note, None
        return note


def missing(caller: Caller, operation: str) -> Forbidden | None:
    """The refusal of a caller who may not call an operation; None if they may."""
    if caller.scopes is None:
        return None
    needs = OPERATIONS.get(operation)
    if needs is None:
        return Forbidden("This API key is restricted, and no restricted key may do this.")
    lacks = caller.scopes.missing(needs)
    return None if lacks is None else lacking(*lacks, "this page or action")


def allowed(operation: str | None, *, token_in_stream: bool = False) -> Callable[[Request], Coroutine[Any, Any, Page]]:
    """A dependency that is the `Page`, for those who are logged in and may call an operation of the API: the one that
    the page shows or carries out. None is for everyone who is logged in. Changes need the session's CSRF token;
    with `token_in_stream` the handler checks it by `Page.check_token`, as it comes.

    Raises:
        NotLoggedIn: There is no session, or it is over.
        Forbidden: The key may not do this, or the request is not from a page of the console.
        BadRequest: A parameter of the query has a NUL character.
    """

    async def provide(request: Request) -> Page:
        caller, session = await who(request)
        page = Page(request, caller, session)
        request.scope[PAGE] = page
        request.scope[CALLER] = caller
        let_in(request.scope)
        _check_query(request)
        if operation is not None:
            page.need(operation)
        if request.method not in ("GET", "HEAD"):
            _check_origin(request)
            if not token_in_stream:
                page.check_token(await _token(request))
        if caller.key_id is not None:
            mark(caller.key_id)
        act_for(caller)
        return page

    return provide


async def who(request: HTTPConnection) -> tuple[Caller, Session]:
    """The caller and session of a request or WebSocket.

    Raises:
        NotLoggedIn: There is none.
    """
    parts = cast("Parts", request.app.state.parts)
    sessions = parts.get(Sessions)
    session = sessions.find(token_of(request))
    if session is None:
        raise NotLoggedIn("Log in first: nobody is logged in here, or the login has ended.")
    try:
        return await parts.get(Authenticator).of_id(session.key_id), session
    except RefusedKey as refusal:
        sessions.close(session)
        raise NotLoggedIn(refusal.error.message) from None


def is_same_origin(request: HTTPConnection) -> bool:
    """True if a request's Origin is the address that it came to."""
    origin: str | None = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == request.headers.get("host")


def _check_query(request: Request) -> None:
    """See that no parameter has a NUL character, which no text of the store has and PostgreSQL refuses."""
    for name, value in request.query_params.multi_items():
        if "\x00" in value:
            raise BadRequest(f"{name[:100]}: must not contain NUL characters.", field=name[:100])


def _check_origin(request: Request) -> None:
    foreign = request.headers.get("sec-fetch-site", "same-origin") != "same-origin"
    # A form's Origin is `null` under the referrer policy of these pages.
    if foreign or (request.headers.get("origin", "null") != "null" and not is_same_origin(request)):
        raise Forbidden("This change was asked for by another site, and was not made.")


async def _token(request: Request) -> str | None:
    given = request.headers.get("x-csrf-token")
    if given is None and request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        form: FormData = await request.form()
        value = form.get("csrf")
        given = value if isinstance(value, str) else None
    return given


def login_path(request: Request) -> str:
    """Where to log in, to come back to the page that was asked for."""
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return LOGIN if request.method != "GET" or path == "/console/" else f"{LOGIN}?next={quote(path, safe='')}"
