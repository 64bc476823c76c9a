"""Base of all tables."""

from typing import Annotated, Any, ClassVar

from sqlalchemy import JSON, BigInteger, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, mapped_column

ID = String(64).with_variant(String(64, collation="C"), "postgresql")
"""Ids compare byte by byte on both engines, whatever the database's locale: their order is their age."""


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        int: BigInteger,
        dict[str, Any]: JSON,
        list[Any]: JSON,
        str: Text,
    }


PrimaryId = Annotated[str, mapped_column(ID, primary_key=True)]
ForeignId = Annotated[str, mapped_column(ID)]
StringMapColumn = Annotated[dict[str, str], mapped_column(JSON)]
