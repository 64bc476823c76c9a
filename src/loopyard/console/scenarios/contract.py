"""Text of a scoring contract, for people to read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from loopyard.scorer.contract import RunFunction, ScoringFunction

_LONG = 80


@dataclass(frozen=True, slots=True)
class FunctionShown:
    """A scoring function. `settings` are its short fields, `texts` those that are read as text: scripts and files."""

    name: str
    weight: float
    type: str
    settings: dict[str, str]
    texts: dict[str, str]

    @property
    def share(self) -> str:
        return f"{self.weight * 100:.4g} %"


def functions_of(functions: Sequence[ScoringFunction | RunFunction]) -> list[FunctionShown]:
    """The functions of a contract, in their order."""
    return [_shown(function) for function in functions]


def _shown(function: ScoringFunction | RunFunction) -> FunctionShown:
    fields = function.scorer.model_dump(mode="json", exclude_none=True)
    settings: dict[str, str] = {}
    texts: dict[str, str] = {}
    for name, text in _flat(fields, ""):
        if name == "type":
            continue
        (texts if "\n" in text or len(text) > _LONG else settings)[name] = text
    return FunctionShown(function.name, function.weight, str(fields.get("type", "")), settings, texts)


def _flat(value: Any, name: str) -> list[tuple[str, str]]:
    """The leaves of a JSON value, each with its path."""
    if isinstance(value, dict):
        table = cast("dict[str, Any]", value)
        return [leaf for key, one in table.items() for leaf in _flat(one, f"{name}.{key}" if name else key)]
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return [leaf for index, one in enumerate(items) for leaf in _flat(one, f"{name}.{index}")]
    return [(name, value if isinstance(value, str) else str(value))]
