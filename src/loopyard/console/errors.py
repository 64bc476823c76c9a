"""Errors as pages; for a part of a page, as a line of it."""

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from loopyard.console.page import PAGE, NotLoggedIn, Page, login_path
from loopyard.console.rendering import render
from loopyard.kit.errors import LoopyardError
from loopyard.kit.http.error_handlers import explain

log = logging.getLogger("loopyard.console")

_TITLES = {
    400: "That cannot be",
    403: "Not allowed",
    404: "Not found",
    405: "Not allowed",
    409: "Not now",
    429: "Too many",
    503: "The infrastructure failed",
    507: "The disk is full",
}


def install(app: FastAPI) -> None:
    """Make `app` answer its errors as pages."""
    app.add_exception_handler(NotLoggedIn, _not_logged_in)
    app.add_exception_handler(LoopyardError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


async def _not_logged_in(request: Request, error: Exception) -> Response:
    path = login_path(request)
    if request.headers.get("hx-request") == "true" or "text/html" not in request.headers.get("accept", "text/html"):
        return Response(str(error), 401, headers={"HX-Redirect": path}, media_type="text/plain")
    return RedirectResponse(path, 303)


async def _known(request: Request, error: Exception) -> Response:
    assert isinstance(error, LoopyardError)  # noqa: S101 - as the handler is registered
    return _answer(request, error.status, error.message)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as the handler is registered
    return _answer(request, 400, explain(error.errors()).message)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - as the handler is registered
    words = "The console has no page at this address." if error.status_code == 404 else str(error.detail)
    return _answer(request, error.status_code, words)


async def unexpected(scope: Scope, receive: Receive, send: Send, error: Exception) -> None:
    """Answer what nothing else answers: the server's log has the rest."""
    log.error("%s %s failed", scope["method"], scope["path"], exc_info=error)
    words = "The server failed to answer this request; its log has the details."
    await _answer(Request(scope), 500, words)(scope, receive, send)


def _answer(request: Request, status: int, message: str) -> Response:
    title = _TITLES.get(status, "This failed" if status >= 500 else "That did not work")
    page = request.scope.get(PAGE)
    if request.headers.get("hx-request") == "true":
        return HTMLResponse(render("layout/_problem.html", {"message": message}), status)
    if isinstance(page, Page):
        return page.render("layout/error.html", http_status=status, title=title, message=message, code=status)
    return HTMLResponse(render("layout/bare_error.html", {"title": title, "message": message, "code": status}), status)
