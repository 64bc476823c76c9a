"""/: what this is, for whoever opens the address of the server in a browser, or asks it by hand."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from loopyard.version import VERSION

router = APIRouter()

_TEXT = f"""This is Loopyard {VERSION}, a server for agent sandboxes and agent evaluation. It has an API and no pages.

Clients of the Runloop API use this address as their base URL, with an API key:

    export RUNLOOP_BASE_URL={{url}}
    export RUNLOOP_API_KEY=...

/healthz tells whether the server works, and /openapi.json describes the API.
"""
_PAGE = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Loopyard</title>
<p>This is Loopyard {VERSION}, a server for agent sandboxes and agent evaluation. It has an API and no pages.</p>
<p>Clients of the Runloop API use this address as their base URL (<code>RUNLOOP_BASE_URL</code>), with an API key
(<code>RUNLOOP_API_KEY</code>).</p>
<p><a href="/healthz">/healthz</a> tells whether the server works, and
<a href="/openapi.json">/openapi.json</a> describes the API.</p>
</html>
"""
_CONTENT = {"name": "Loopyard", "version": VERSION, "health": "/healthz", "openapi": "/openapi.json"}


@router.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
async def welcome(request: Request) -> Response:
    """Says what this is: as HTML to browsers, as JSON to clients of the API, as text to others. Needs no key."""
    accepted = request.headers.get("accept", "")
    if "text/html" in accepted:
        return HTMLResponse(_PAGE)
    if "application/json" in accepted:
        return JSONResponse(_CONTENT)
    return PlainTextResponse(_TEXT.format(url=str(request.base_url).rstrip("/")))
