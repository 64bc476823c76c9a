"""Pydantic's complaints in words for those who have sent the value."""

from typing import Any

_LENGTHS = {
    "too_long": "at most",
    "too_short": "at least",
    "string_too_long": "at most",
    "string_too_short": "at least",
}


def in_words(problem: Any) -> str:
    """Describe the fault of a value, without its field. A text has characters: pydantic calls them items where others
    have looked at the text before."""
    bound = _LENGTHS.get(str(problem.get("type", "")))
    context: dict[str, Any] = problem.get("ctx") or {}
    is_text = isinstance(problem["input"], str) if "input" in problem else context.get("field_type") == "Value"
    if bound is not None and is_text:
        most = context.get("max_length", context.get("min_length"))
        return f"must have {bound} {most} {'character' if most == 1 else 'characters'}"
    return str(problem.get("msg", "not valid")).removeprefix("Value error, ")
