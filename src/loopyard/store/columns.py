"""Types of columns whose values are more than text: enums, and what pydantic describes."""

from enum import StrEnum
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import JSON, Dialect, String, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

E = TypeVar("E", bound=StrEnum)
V = TypeVar("V")


class EnumText(TypeDecorator[E], Generic[E]):
    """A member of an enum of text, stored as its text. Reading one that the enum does not have raises ValueError."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: type[E], length: int | None = None) -> None:
        """Make the type of a column of text, of at most `length` characters if it is given."""
        super().__init__()
        self.kind = kind
        self.length = length
        self._members = {member.value: member for member in kind}

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:  # noqa: ARG002
        return Text() if self.length is None else String(self.length)

    def process_bind_param(self, value: E | str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> E | None:  # noqa: ARG002
        return None if value is None else self._members.get(value) or self.kind(value)

    def process_literal_param(self, value: E | None, dialect: Dialect) -> str:  # noqa: ARG002
        return repr(str(value))


class PydanticType(TypeDecorator[V], Generic[V]):
    """A value that pydantic describes: a model, a list of models, or any other that a type adapter takes. Stored as
    JSON, without fields that are None. Reading what does not fit raises a ValidationError."""

    impl = JSON
    cache_ok = True

    def __init__(self, kind: type[V]) -> None:
        super().__init__(none_as_null=True)
        self.kind = kind
        self._adapter: TypeAdapter[V] = TypeAdapter(kind)

    def process_bind_param(self, value: V | None, dialect: Dialect) -> Any:  # noqa: ARG002
        return None if value is None else self._adapter.dump_python(value, mode="json", exclude_none=True)

    def process_result_value(self, value: Any, dialect: Dialect) -> V | None:  # noqa: ARG002
        return None if value is None else self._adapter.validate_python(value)
