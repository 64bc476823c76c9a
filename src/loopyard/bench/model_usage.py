"""Model usage of an attempt, as the server's gateway counted it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, cast


@dataclass(frozen=True, slots=True)
class ModelUsage:
    """Tokens and cost of the calls that went through gateways.

    `input_tokens` has the cached ones in it, `output_tokens` the reasoning. `uncounted` calls may have used more,
    `unpriced` ones have tokens but no known price. `cost_usd` is None where none has one.
    """

    calls: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    uncounted: int = 0
    unpriced: int = 0
    cost_usd: float | None = None

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    @property
    def is_whole(self) -> bool:
        """True if all tokens are known."""
        return not self.uncounted

    @property
    def is_priced(self) -> bool:
        """True if the whole cost is known."""
        return self.cost_usd is not None and not self.uncounted and not self.unpriced


def of_view(told: object) -> ModelUsage | None:
    """Usage as the server tells it, if any call was made."""
    if not isinstance(told, Mapping):
        return None
    view = cast("Mapping[str, Any]", told)
    names = [field.name for field in fields(ModelUsage) if field.name not in ("uncounted", "cost_usd")]
    try:
        numbers: dict[str, Any] = {name: int(view[name]) for name in names}
        numbers["uncounted"] = int(view["cut_off"]) + int(view["untold"])
        cost = view["cost_usd"]
        usage = ModelUsage(**numbers, cost_usd=None if cost is None else float(cost))
    except (KeyError, TypeError, ValueError):
        return None
    return usage if usage.calls else None
