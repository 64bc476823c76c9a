"""A kind of resource, and the pages that are made of it: a list, and a page for each."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.console.family import Entry, Family, Hit
from loopyard.console.listing import ListQuery, next_path
from loopyard.console.page import Page, allowed
from loopyard.kit.ids import is_id
from loopyard.kit.lists.paging import PageQuery

Shape = Literal["id", "text", "time", "status", "size", "count"]
_MOST_HITS = 5
_FEW = PageQuery(limit=_MOST_HITS, include_total_count=False)


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    field: str
    shape: Shape = "text"


@dataclass(frozen=True, slots=True)
class Found:
    """A page of a list."""

    items: Sequence[Any]
    has_more: bool
    total_count: int | None


List = Callable[[Page, AsyncSession, PageQuery, str | None], Awaitable[Found]]
Read = Callable[[Page, AsyncSession, str], Awaitable[BaseModel]]
Delete = Callable[[Page, AsyncSession, str], Awaitable[Any]]
More = Callable[[Page, str], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of resource. Operations are entries of `auth.operations`."""

    group: str
    title: str
    one: str
    """Singular noun, as in `snapshot`."""
    path: str
    prefix: str
    """Prefix of its ids."""
    columns: Sequence[Column]
    list: List
    list_operation: str
    read: Read
    read_operation: str
    command: str
    """Hint of how to make one, shown where there is none."""
    delete: Delete | None = None
    delete_operation: str = ""
    delete_question: str = ""
    searches: bool = True
    """True if lists can be filtered by a part of a name."""
    create_form: str = ""
    """Template of a form that makes one, for those who may call `create_operation`."""
    create_operation: str = ""
    template: str = "resources/detail.html"
    more: More | None = None
    """Further variables of its template."""


def curl(path: str, body: str) -> str:
    """The command line that makes something by the API."""
    return (
        f'curl -X POST $RUNLOOP_BASE_URL/v1/{path} -H "Authorization: Bearer $RUNLOOP_API_KEY" '
        f"-H \"content-type: application/json\" -d '{body}'"
    )


def family(kind: Kind, extra: APIRouter | None = None) -> Family:
    """The pages of a kind; `extra` are more below its path."""
    router = APIRouter(prefix=kind.path)
    base = f"/console{kind.path}"

    @router.get("")
    async def resources(
        page: Annotated[Page, Depends(allowed(kind.list_operation))],
        query: ListQuery,
        q: Annotated[str, Query(max_length=200)] = "",
    ) -> Response:
        async with page.database.read() as session:
            found = await kind.list(page, session, query, q.strip() or None)
        last = found.items[-1].id if found.items else None
        after = next_path(page.request, last, has_more=found.has_more)
        return page.render("resources/list.html", kind=kind, found=found, q=q, next=after, base=base)

    @router.get("/{id}")
    async def resource(id: str, page: Annotated[Page, Depends(allowed(kind.read_operation))]) -> Response:
        async with page.database.read() as session:
            item = await kind.read(page, session, id)
        more: Mapping[str, Any] = {} if kind.more is None else await kind.more(page, id)
        whole = json.dumps(item.model_dump(mode="json", exclude_none=True), indent=2, ensure_ascii=False)
        return page.render(kind.template, kind=kind, item=item, whole=whole, base=base, **more)

    if (delete := kind.delete) is not None:

        @router.post("/{id}/delete")
        async def remove(id: str, page: Annotated[Page, Depends(allowed(kind.delete_operation))]) -> Response:
            async with page.database.write() as session:
                await delete(page, session, id)
            return page.redirect(base, note=f"The {kind.one} {id} was deleted.")

    async def find(page: Page, text: str) -> Sequence[Hit]:
        page.need(kind.list_operation)
        if is_id(text, kind.prefix):  # search links to it already
            return []
        async with page.database.read() as session:
            found = await kind.list(page, session, _FEW, text)
        return [Hit(kind.one, one.name or one.id, f"{kind.path}/{one.id}") for one in found.items]

    if extra is not None:
        router.include_router(extra)
    return Family(
        router,
        navigation=[Entry(kind.group, kind.title, kind.path, kind.list_operation)],
        links={kind.prefix: f"{kind.path}/"},
        find=find if kind.searches else None,
    )
