"""Prices of calls by the price list of genai-prices: a model's own entry or nothing, never a guess.

The list finds an entry for almost any name, by how a name begins or what is in it. So an entry counts only where it
names the model itself: by its id, by one of the names or patterns that it gives in full, or by one of these with a date
or version at its end. Whoever sells the model is told by the upstream's host, or by the operator, not by the name.

Importing the list takes some 80 MiB and half a second, so this is done where the first price is asked for.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from loopyard.model_usage.metering.answers import FLAVORS
from loopyard.model_usage.metering.apis import Api
from loopyard.model_usage.metering.tokens import Tokens

if TYPE_CHECKING:
    from genai_prices.types import MatchLogic, ModelInfo, PriceVariant, Provider, Usage

NANO = Decimal(10) ** 9
MOST_NANO_USD = 10**15
"""A million US dollars for one call; what comes to more is no price."""

_VERSION = re.compile(r"(?:[-@](?:\d{8}|\d{4}-\d{2}-\d{2}|\d{3,4}|latest|preview-\d{2}-\d{2}|preview-\d{2}-\d{4}))?")
"""Suffix of a model's name with which it is still the same model."""

_STANDARD = frozenset({"", "default", "auto", "standard", "on_demand"})
"""Names of the service tier that the prices without conditions are for."""


@dataclass(frozen=True, slots=True)
class Price:
    """Price of a call, in billionths of a US dollar; None, and the reason, where it is unknown."""

    nano_usd: int | None
    reason: str | None = None


class Prices:
    """The price list."""

    def __init__(self, sold_as: Mapping[str, str] | None = None) -> None:
        """Take providers of genai-prices by the hosts whose models have their prices, beside those hosts that the list
        itself knows."""
        self._sold_as = {host.lower(): provider for host, provider in (sold_as or {}).items()}

    def price(
        self,
        host: str,
        api: Api,
        model: str | None,
        tokens: Tokens,
        *,
        usage: Mapping[str, Any] | None = None,
        service_tier: str | None = None,
        time_ms: int | None = None,
    ) -> Price:
        """Price of a call.

        Args:
            host: The upstream's.
            api: By which it was called.
            model: As the answer names it.
            tokens: What was used.
            usage: The same as the answer has it, with details that prices may depend on.
            service_tier: As the answer names it.
            time_ms: When; now if it is not given.
        """
        if model is None:
            return Price(None, "the answer does not name the model")
        try:
            provider = _provider(self._sold_as.get(host, ""), host)
            if provider is None:
                return Price(None, f"it is not known whose prices {host} has")
            entry = _entry(provider, model.lower())
            if entry is None:
                return Price(None, f"{provider.name} has no entry for {model}")
            found = _cost(provider, entry, api, tokens, usage, service_tier or "", time_ms)
        except (ValueError, ArithmeticError) as error:
            return Price(None, f"the list has no price for this usage: {error}")
        return found


def _cost(
    provider: "Provider",
    entry: "ModelInfo",
    api: Api,
    tokens: Tokens,
    usage: Mapping[str, Any] | None,
    tier: str,
    time_ms: int | None,
) -> Price:
    when = datetime.now(UTC) if time_ms is None else datetime.fromtimestamp(time_ms / 1000, UTC)
    context: dict[str, str] = {}
    if tier.lower() not in _STANDARD:
        context = {"processing": "batch"} if tier.lower() == "batch" else {"service_tier": tier.lower()}
    speed = (usage or {}).get("speed")
    if isinstance(speed, str) and speed not in _STANDARD:
        context["speed"] = speed
    for name, value in context.items():
        if not any(name in one.when and one.when.items() <= context.items() for one in _variants(entry, when)):
            return Price(None, f"{entry.id} has no price for {name} {value}")
    if not context and any(one.when == {"service_tier": "default"} for one in _variants(entry, when)):
        context = {"service_tier": "default"}
    if not any(value is not None for value in vars(entry.get_prices(when)).values()):
        return Price(None, f"{entry.id} has no price")
    counted = _usage(provider, api, tokens, usage)
    total = entry.calc_price(counted, provider, genai_request_timestamp=when, price_context=context or None).total_price
    nano = int((total * NANO).to_integral_value())
    return Price(nano) if 0 <= nano <= MOST_NANO_USD else Price(None, "it comes to more than a million US dollars")


def _variants(entry: "ModelInfo", when: datetime) -> "Iterator[PriceVariant]":
    """The prices for special conditions that hold at a time."""
    for variant in entry.price_variants or ():
        if variant.constraint is None or variant.constraint.active(when):
            yield variant


def _usage(provider: "Provider", api: Api, tokens: Tokens, usage: Mapping[str, Any] | None) -> "Usage":
    """Usage with the details that this provider's prices may depend on: by modality, time to live of caches, tools."""
    from genai_prices.types import Usage

    plain = Usage(
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        cache_read_tokens=tokens.cache_read or None,
        cache_write_tokens=tokens.cache_write or None,
        output_reasoning_tokens=tokens.reasoning or None,
    )
    for extractor in provider.extractors or ():
        if usage is not None and extractor.api_flavor == FLAVORS[api]:
            try:
                _, detailed = extractor.extract({str(extractor.root): dict(usage)})
            except ValueError:
                return plain
            same = detailed.input_tokens == tokens.input and detailed.output_tokens == tokens.output
            return detailed if same else plain
    return plain


@functools.lru_cache(maxsize=256)
def _provider(named: str, host: str) -> "Provider | None":
    """Provider of models at a host; None if it is not known."""
    from genai_prices.data_snapshot import find_provider_by_id, get_snapshot

    providers = get_snapshot().providers
    if named:
        return find_provider_by_id(providers, named)
    for provider in providers:
        # The patterns look at the start of a URL only: what they find must end where the host or a label of it does.
        found = re.match(provider.api_pattern, f"https://{host}/")
        if found is not None and (found.end() > len("https://") + len(host) - 1 or found[0].endswith(".")):
            return provider
    return None


def load() -> None:
    """Have the list in memory."""
    from genai_prices.data_snapshot import get_snapshot

    get_snapshot()


def _entry(provider: "Provider", model: str) -> "ModelInfo | None":
    """The entry that names the model itself; None if there is none, or more than one."""
    return _own_entry(provider.id, model.removeprefix("models/"))


@functools.lru_cache(maxsize=1024)
def _own_entry(provider_id: str, model: str) -> "ModelInfo | None":
    from genai_prices.data_snapshot import get_snapshot

    providers = {provider.id: provider for provider in get_snapshot().providers}
    sellers = [provider_id, *(providers[provider_id].fallback_model_providers or ())]
    for seller in sellers:
        if seller not in providers:
            continue
        # An id or a name given in full goes before one that needs a date taken off.
        for exact in (True, False):
            own = [entry for entry in providers[seller].models if _is_own(entry, model, exact=exact)]
            if len(own) == 1:
                return own[0]
            if own:
                return None
    return None


def _is_own(entry: "ModelInfo", model: str, *, exact: bool) -> bool:
    if not entry.is_match(model):
        return False
    if exact:
        return model == entry.id.lower() or any(_in_full(entry.match, model))
    stems = {entry.id.lower(), entry.id.lower().removesuffix("-latest"), *_stems(entry.match)}
    return any(model.startswith(stem) and _VERSION.fullmatch(model, len(stem)) for stem in stems)


def _in_full(match: "MatchLogic", model: str) -> Iterator[bool]:
    """True if names or patterns of the whole name are the model's."""
    from genai_prices.types import ClauseAnd, ClauseEquals, ClauseOr, ClauseRegex

    match match:
        case ClauseEquals():
            yield match.equals.lower() == model
        case ClauseRegex():
            whole = match.regex.startswith("^") and match.regex.endswith("$") and not match.regex.startswith("^(?")
            yield whole and match.is_match(model)
        case ClauseOr():
            for clause in match.or_:
                yield from _in_full(clause, model)
        case ClauseAnd():
            yield False
        case _:
            yield False


def _stems(match: "MatchLogic") -> Iterator[str]:
    """Names that the entry gives in full, or that begin or end those that it is for."""
    from genai_prices.types import ClauseAnd, ClauseContains, ClauseEndsWith, ClauseEquals, ClauseOr, ClauseStartsWith

    match match:
        case ClauseEquals():
            yield match.equals.lower()
        case ClauseStartsWith():
            yield match.starts_with.lower()
        case ClauseContains():
            yield match.contains.lower()
        case ClauseEndsWith():
            yield match.ends_with.lower()
        case ClauseOr():
            for clause in match.or_:
                yield from _stems(clause)
        case ClauseAnd():
            for clause in match.and_:
                yield from _stems(clause)
        case _:
            return
