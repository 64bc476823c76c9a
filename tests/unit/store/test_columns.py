"""Columns of enums, and of values that pydantic describes, keep what rows had before them."""

from enum import StrEnum
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import Column, Engine, Integer, MetaData, Table, create_engine, insert, select, text

from loopyard.network_policy.networks import AllowedCidr, PortRule
from loopyard.store.columns import EnumText, PydanticType


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


_TABLE = Table(
    "thing",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("colour", EnumText(Colour, 16)),
    Column("networks", PydanticType(list[AllowedCidr])),
)


@pytest.fixture
def engine() -> Engine:
    engine = create_engine("sqlite://")
    _TABLE.metadata.create_all(engine)
    return engine


def _stored(engine: Engine, column: str) -> list[Any]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM thing ORDER BY id")).mappings()
        return [row[column] for row in rows]


def test_an_enum_is_stored_as_its_text_and_read_as_its_member(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(insert(_TABLE), [{"id": 1, "colour": Colour.RED}, {"id": 2, "colour": None}])
        found = connection.execute(select(_TABLE.c.colour).order_by(_TABLE.c.id)).scalars().all()
        assert found == [Colour.RED, None]
        assert isinstance(found[0], Colour)
        for wanted in (Colour.RED, "red"):
            assert connection.execute(select(_TABLE.c.id).where(_TABLE.c.colour == wanted)).scalars().all() == [1]
        assert connection.execute(select(_TABLE.c.id).where(_TABLE.c.colour.in_(list(Colour)))).scalars().all() == [1]
    assert _stored(engine, "colour") == ["red", None]


def test_text_that_the_enum_does_not_have_is_an_error(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO thing (id, colour) VALUES (1, 'green')"))
        with pytest.raises(ValueError, match="green"):
            connection.execute(select(_TABLE.c.colour)).scalars().all()


def test_a_model_is_stored_as_json_without_what_is_none(engine: Engine) -> None:
    networks = [AllowedCidr(cidr="10.0.0.0/8", ports=[PortRule(port=443)]), AllowedCidr(cidr="192.0.2.0/24")]
    with engine.begin() as connection:
        connection.execute(insert(_TABLE), [{"id": 1, "networks": networks}, {"id": 2, "networks": []}])
        connection.execute(insert(_TABLE), [{"id": 3, "networks": None}])
        found = connection.execute(select(_TABLE.c.networks).order_by(_TABLE.c.id)).scalars().all()
    assert found == [networks, [], None]
    whole = '[{"cidr": "10.0.0.0/8", "ports": [{"port": 443}]}, {"cidr": "192.0.2.0/24"}]'
    assert _stored(engine, "networks") == [whole, "[]", None]


@pytest.mark.parametrize("content", ["[1]", '[{"cidr": "nonsense"}]', "{}"])
def test_json_that_does_not_fit_is_an_error(engine: Engine, content: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO thing (id, networks) VALUES (1, :content)"), {"content": content})
        with pytest.raises(ValidationError):
            connection.execute(select(_TABLE.c.networks)).scalars().all()
