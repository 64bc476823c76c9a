"""/console/login and /console/logout."""

import hmac
import re
import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from loopyard.auth.authenticator import Authenticator, RefusedKey
from loopyard.auth.caller import CALLER, KEY, OPERATION
from loopyard.connections.limits import let_in
from loopyard.console.family import Family
from loopyard.console.login.attempts import Attempts
from loopyard.console.login.cookies import clear_token, form_token_of, set_form_token, set_token, token_of
from loopyard.console.login.sessions import Sessions
from loopyard.console.page import Page, allowed
from loopyard.console.rendering import render
from loopyard.identity.repository import ApiKeyRepository
from loopyard.kit.db.database import DatabaseDep
from loopyard.kit.http.parts import part

router = APIRouter()

SessionsDep = Annotated[Sessions, Depends(part(Sessions))]
_LOCAL = re.compile(r"/console/[A-Za-z0-9_./?=&%~+:,@-]*")
_MOST_KEY = 2048
_LOGIN = "console login"


@router.get("/login")
async def login_form(request: Request, sessions: SessionsDep, next: Annotated[str, Query()] = "") -> Response:
    """The form to log in."""
    if sessions.find(token_of(request)) is not None:
        return RedirectResponse(_where(next), 303)
    return _form(request, next)


@router.post("/login")
async def login(
    request: Request,
    sessions: SessionsDep,
    authenticator: Annotated[Authenticator, Depends(part(Authenticator))],
    attempts: Annotated[Attempts, Depends(part(Attempts))],
    database: DatabaseDep,
) -> Response:
    """Exchange an API key for a new session; the one before it ends."""
    form = await request.form(max_files=0, max_fields=10)
    key, where, given = (str(form.get(name) or "") for name in ("key", "next", "token"))
    expected = form_token_of(request)
    if expected is None or not hmac.compare_digest(expected.encode(), given.encode(errors="replace")):
        return _form(request, where, "The form was out of date, or cookies are off. Try again.", 403)
    source = "unknown" if request.client is None else request.client.host
    if (seconds := attempts.wait_seconds(source)) > 0:
        words = f"There were too many attempts from this address. Try again in {seconds} seconds."
        answer = _form(request, where, words, 429)
        answer.headers["Retry-After"] = str(seconds)
        return answer
    request.scope[OPERATION] = _LOGIN
    try:
        caller = await authenticator.caller(key.strip()[:_MOST_KEY])
    except RefusedKey as refusal:
        attempts.note_failure(source)
        request.scope[KEY] = refusal.key_id
        return _form(request, where, refusal.error.message, refusal.error.status)
    attempts.forget(source)
    let_in(request.scope)
    request.scope[CALLER] = caller
    if (old := sessions.find(token_of(request))) is not None:
        sessions.close(old)
    async with database.read() as session:
        own = {one.account_id for one in await ApiKeyRepository(session).list_of_server()}
    token, _ = sessions.open(caller.key_id or "", is_of_server=caller.account_id in own)
    response = RedirectResponse(_where(where), 303)
    set_token(request, response, token, sessions.lasting_seconds)
    return response


@router.post("/logout")
async def logout(request: Request, sessions: SessionsDep, page: Annotated[Page, Depends(allowed(None))]) -> Response:
    """End the session, and what is open with it."""
    request.scope[OPERATION] = "console logout"
    sessions.close(page.session)
    response = RedirectResponse("/console/login", 303)
    clear_token(request, response)
    return response


def _form(request: Request, where: str, problem: str | None = None, status: int = 200) -> Response:
    token = secrets.token_urlsafe(24)
    html = render("login/login.html", {"problem": problem, "next": where, "token": token})
    response = HTMLResponse(html, status)
    set_form_token(request, response, token)
    return response


def _where(path: str) -> str:
    """A page of the console to go on with, whatever was asked for."""
    return path if _LOCAL.fullmatch(path) and "//" not in path and ".." not in path else "/console/"


FAMILY = Family(router)
