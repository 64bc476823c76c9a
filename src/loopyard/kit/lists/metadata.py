"""Filters by metadata, as lists take them: `metadata[key]=value` and `metadata[key][in]=one,two`."""

import hashlib
import re
from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Query, Request

from loopyard.kit.errors import BadRequest

MAX_FILTERS = 20

_NAME = re.compile(r"metadata\[(?P<key>.*?)\](?P<any>\[in\])?", re.DOTALL)

MetadataFilter = tuple[frozenset[str], ...]
"""For each condition, the entries of which a row must have one."""


def entry(key: str, value: str) -> str:
    """32 characters that stand for a key and its value in indexes, which do not take all lengths."""
    return hashlib.sha256(f"{len(key)}:{key}{value}".encode()).hexdigest()[:32]


def entries(metadata: Mapping[str, str]) -> set[str]:
    """Rows to store beside a row, so that it is found by its metadata."""
    return {entry(key, value) for key, value in metadata.items()}


async def _filter(
    request: Request,
    _equals: Annotated[
        str | None,
        Query(alias="metadata[key]", description="Only those whose metadata has this value under `key`, any key."),
    ] = None,
    _in: Annotated[
        str | None,
        Query(alias="metadata[key][in]", description="Only those that have one of these values under `key`."),
    ] = None,
) -> MetadataFilter:
    conditions: list[frozenset[str]] = []
    several: dict[str, set[str]] = {}
    for name, value in request.query_params.multi_items():
        found = _NAME.fullmatch(name)
        if found is None:
            continue
        if found["any"]:
            several.setdefault(found["key"], set()).update(entry(found["key"], one) for one in value.split(","))
        else:
            conditions.append(frozenset({entry(found["key"], value)}))
    conditions += [frozenset(one) for one in several.values()]
    if len(conditions) > MAX_FILTERS:
        raise BadRequest(f"metadata: give at most {MAX_FILTERS} conditions.", field="metadata")
    return tuple(conditions)


MetadataFilterParam = Annotated[MetadataFilter, Depends(_filter)]
