"""Names of resources: how they are found, exactly or in part, the same way on both databases."""

import hashlib

from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy.orm import InstrumentedAttribute


def digest(name: str) -> str:
    """32 characters that stand for a name in indexes. A name itself may be longer than an index takes."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def fold(name: str) -> str:
    """The name without difference of case, in any language."""
    return name.casefold()


def equals(
    digest_column: InstrumentedAttribute[str] | InstrumentedAttribute[str | None],
    column: InstrumentedAttribute[str] | InstrumentedAttribute[str | None],
    name: str,
) -> ColumnElement[bool]:
    """SQL condition: it is this very name. The digest finds it in the index; comparing the name makes it exact."""
    return and_(digest_column == digest(name), column == name)


def holds(folded: InstrumentedAttribute[str] | InstrumentedAttribute[str | None], text: str) -> ColumnElement[bool]:
    """SQL condition: a folded name contains the text, whatever the case."""
    return folded.contains(fold(text), autoescape=True)


def matches(
    id_column: InstrumentedAttribute[str],
    folded: InstrumentedAttribute[str] | InstrumentedAttribute[str | None],
    search: str,
) -> ColumnElement[bool]:
    """SQL condition of free text searches: an id starts with the text, or a folded name contains it."""
    return or_(id_column.startswith(search, autoescape=True), holds(folded, search))
