"""Pydantic's complaints name the fields of the wire."""

from typing import Annotated, Any, Literal, cast

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from loopyard.devbox.execution.schemas import Command
from loopyard.kit.http.error_handlers import explain
from loopyard.kit.http.wire import Params, Text


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


class Note(Params):
    text: Annotated[Text, Field(min_length=1, max_length=3)]
    lines: Annotated[list[str] | None, Field(max_length=1)] = None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"text": "four"}, "text: must have at most 3 characters"),
        ({"text": ""}, "text: must have at least 1 character"),
        ({"text": "a", "lines": ["a", "b"]}, "lines: List should have at most 1 item after validation, not 2"),
    ],
)
def test_a_text_has_characters_and_a_list_has_items(body: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Note.model_validate(body)
    assert explain(caught.value.errors(), body).message == message


def test_a_command_that_is_too_long_is_told_in_bytes() -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Command).validate_python("x" * (1 << 20))
    assert explain(caught.value.errors()).message.endswith(
        "must have at most 120000 bytes; put longer text into a file"
    )
