"""The console as an application of its own below /console, with its own answers to errors."""

from fastapi import Depends, FastAPI, Request
from fastapi.responses import Response

from loopyard.console import assets
from loopyard.console.errors import install
from loopyard.console.families import FAMILIES
from loopyard.console.family import BASE
from loopyard.console.guarding import GuardMiddleware
from loopyard.console.live import Live
from loopyard.console.login import pages as login
from loopyard.console.login.attempts import Attempts
from loopyard.console.login.sessions import Sessions
from loopyard.console.navigation import Navigation
from loopyard.console.rendering import set_links, set_navigation
from loopyard.console.searching import pages as searching
from loopyard.console.settings import ServerSettings
from loopyard.kit.db.changes import Changes
from loopyard.kit.errors import NotFound
from loopyard.kit.http.parts import Parts
from loopyard.kit.http.paths import refuse_impossible

__all__ = ["BASE", "create"]


def create(parts: Parts, settings: ServerSettings) -> FastAPI:
    """The console of a server that is put together of `parts`."""
    parts.add(Sessions, Sessions(settings.console.session_hours))
    parts.add(Attempts, Attempts())
    parts.add(Live, Live(parts.get(Changes)))
    parts.add(ServerSettings, settings)
    navigation = parts.add(Navigation, Navigation(FAMILIES))
    set_links(navigation.links)
    set_navigation(navigation.groups)
    app = FastAPI(
        title="Loopyard's console",
        dependencies=[Depends(refuse_impossible)],
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.parts = parts
    install(app)
    for family in (login.FAMILY, searching.FAMILY, *FAMILIES):
        app.include_router(family.router)
    app.add_api_route("/static/{name}", _asset, methods=["GET", "HEAD"])
    app.add_middleware(GuardMiddleware)
    return app


async def _asset(name: str, request: Request) -> Response:
    """A script or style. They are no secret."""
    asset = assets.load(name)
    if asset is None:
        raise NotFound(assets.missing() or f"The console has no file {name}.")
    kept = "public, max-age=31536000, immutable" if request.query_params.get("v") == asset.version else "no-cache"
    headers = {"Cache-Control": kept, "ETag": f'"{asset.version}"', "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(asset.content, media_type=asset.type, headers=headers)
    return Response(asset.packed, media_type=asset.type, headers={**headers, "Content-Encoding": "gzip"})
