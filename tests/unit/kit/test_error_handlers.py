"""Pydantic's complaints name the fields of the wire."""

from typing import Annotated, Any, Literal, cast

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from loopyard.kit.error_handlers import explain
from loopyard.kit.wire import Params


class Cat(Params):
    type: Literal["cat"]
    lives: int


class Dog(Params):
    type: Literal["dog"]
    name: str


class House(Params):
    pets: list[Annotated[Cat | Dog, Field(discriminator="type")]]


@pytest.mark.parametrize(
    ("body", "field"),
    cast(
        "list[tuple[Any, str]]",
        [
            ({"pets": [{"type": "dog", "name": "a"}, {"type": "cat", "lives": "many"}]}, "pets.1.lives"),
            ({"pets": [{"type": "cat"}]}, "pets.0.lives"),
            ({"pets": [{"type": "cow"}]}, "pets.0.type"),
            ({"pets": [{}]}, "pets.0.type"),
            ({"pets": [3]}, "pets.0"),
            ({"pets": 3}, "pets"),
            ({}, "pets"),
            ([], "body"),
        ],
    ),
)
def test_the_field_is_named_without_the_tags_of_unions(body: Any, field: str) -> None:
    with pytest.raises(ValidationError) as raised:
        TypeAdapter(House).validate_python(body)
    problems = [{**problem, "loc": ("body", *problem["loc"])} for problem in raised.value.errors()]
    assert explain(problems, body).field == field
