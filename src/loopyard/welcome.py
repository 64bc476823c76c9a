"""/: what this is, for whoever opens the address of the server in a browser."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from loopyard.kit.errors import NotFound
from loopyard.version import VERSION

router = APIRouter()

_CONSOLE = '<p>Its pages for people are at <a href="/console/">/console</a>.</p>'
_PAGE = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Loopyard</title>
<p>This is Loopyard {VERSION}, a server for agent sandboxes and agent evaluation.</p>
{{console}}
<p>Clients of the Runloop API use this address as their base URL (<code>RUNLOOP_BASE_URL</code>), with an API key
(<code>RUNLOOP_API_KEY</code>).</p>
<p><a href="/healthz">/healthz</a> tells whether the server works, and
<a href="/openapi.json">/openapi.json</a> describes the API.</p>
</html>
"""


@router.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
async def welcome(request: Request) -> Response:
    """Says to browsers what this is. Needs no key.

    Raises:
        NotFound: Whoever asks is no browser; the message says where the API is.
    """
    if "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(_PAGE.replace("{console}", _CONSOLE if request.app.state.has_console else ""))
    raise NotFound(f"This is Loopyard {VERSION}. Its API is below /v1, and is described by /openapi.json.")
