"""/console/search."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import RedirectResponse, Response

from loopyard.console.family import Family, Hit
from loopyard.console.navigation import Navigation
from loopyard.console.page import Page, allowed
from loopyard.console.text import sortable
from loopyard.kit.errors import LoopyardError
from loopyard.kit.http.parts import part

router = APIRouter()

MOST_CHARACTERS = 200


@router.get("/search")
async def search(
    page: Annotated[Page, Depends(allowed(None))],
    navigation: Annotated[Navigation, Depends(part(Navigation))],
    q: Annotated[str, Query(max_length=MOST_CHARACTERS)] = "",
) -> Response:
    """Results for an id or a part of a name. A whole id leads to its page at once."""
    text = q.strip()
    path = navigation.path_of(text)
    if path is not None and not page.is_htmx:
        return RedirectResponse(path, 303)
    hits: list[Hit] = []
    if path is not None:
        hits.append(Hit("id", text, path.removeprefix("/console")))
    if text:
        wanted = sortable(text)
        for _, entries in navigation.groups(page):
            hits += [Hit("page", entry.title, entry.path) for entry in entries if wanted in sortable(entry.title)]
        for find in navigation.finds:
            try:
                hits += await find(page, text)
            except LoopyardError:  # what the caller may not see is not found
                continue
    template = "searching/_hits.html" if page.is_htmx else "searching/search.html"
    return page.render(template, hits=hits, q=text)


FAMILY = Family(router)
