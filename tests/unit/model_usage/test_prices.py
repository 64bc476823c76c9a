"""Prices: a model's own entry, or none."""

import pytest

from loopyard.model_usage.metering.apis import Api
from loopyard.model_usage.metering.tokens import Tokens
from loopyard.model_usage.prices import Prices

SOME = Tokens(input=100_000, output=100_000)
OPENAI, ANTHROPIC, GOOGLE = "api.openai.com", "api.anthropic.com", "generativelanguage.googleapis.com"
APIS = {OPENAI: Api.CHAT, ANTHROPIC: Api.MESSAGES, GOOGLE: Api.GEMINI}
TIME_MS = 1_780_000_000_000  # 2026-05-28: what the list says later does not change these


@pytest.mark.parametrize(
    ("host", "model", "usd"),
    [
        (OPENAI, "gpt-5", 11.25),
        (OPENAI, "gpt-5-2025-08-07", 11.25),
        (OPENAI, "GPT-5", 11.25),
        (ANTHROPIC, "claude-sonnet-4-5", 18.0),
        (ANTHROPIC, "claude-sonnet-4-5-20250929", 18.0),
        (ANTHROPIC, "claude-haiku-4-5@20251001", 6.0),
        (ANTHROPIC, "claude-3-5-haiku-latest", 4.8),
        (GOOGLE, "gemini-2.5-flash", 2.8),
        (GOOGLE, "models/gemini-2.5-flash", 2.8),
    ],
)
def test_a_model_that_the_list_names_has_its_price(host: str, model: str, usd: float) -> None:
    price = Prices().price(host, APIS[host], model, SOME, time_ms=TIME_MS)
    assert (price.nano_usd, price.reason) == (round(usd * 1e8), None)


@pytest.mark.parametrize(
    ("host", "model"),
    [
        (OPENAI, "gpt-5-turbo-max"),
        (OPENAI, "gpt-5-2099-01-01"),
        (OPENAI, "gpt-5-nano-of-ours"),
        (OPENAI, "ft:gpt-4o-2024-08-06:acme::id"),
        (OPENAI, "my-moderation-model"),
        (OPENAI, "claude-sonnet-4-5"),
        (ANTHROPIC, "claude-3-5-haiku-of-ours"),
        (ANTHROPIC, "claude-opus-4-10"),
        (ANTHROPIC, "claude-sonnet-4-5-20250929-tuned"),
        (ANTHROPIC, "gpt-5"),
        (GOOGLE, "gemini-2.5-pro-exp"),
        (GOOGLE, "gemini-3.6-flash-lite"),
        (GOOGLE, "tuned-claude-sonnet-4-5"),
        (GOOGLE, "gemma-3-27b-it"),
        (OPENAI, ""),
        (OPENAI, None),
    ],
)
def test_a_model_that_is_only_like_one_of_the_list_has_none(host: str, model: str | None) -> None:
    price = Prices().price(host, APIS[host], model, SOME, time_ms=TIME_MS)
    assert price.nano_usd is None
    assert price.reason


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "api.openai.com.example.com", "openai.example.com", "xapi.openai.com", ""]
)
def test_who_sells_is_told_by_the_host_and_never_by_the_model(host: str) -> None:
    price = Prices().price(host, Api.CHAT, "gpt-5", SOME)
    assert price.nano_usd is None
    assert Prices({host: "openai"}).price(host, Api.CHAT, "gpt-5", SOME, time_ms=TIME_MS).nano_usd == 1_125_000_000
    assert Prices({host: "nobody"}).price(host, Api.CHAT, "gpt-5", SOME).nano_usd is None


def test_caches_and_details_have_their_prices() -> None:
    prices = Prices()
    cached = Tokens(input=1_000_000, cache_read=1_000_000)
    assert prices.price(OPENAI, Api.CHAT, "gpt-5", cached, time_ms=TIME_MS).nano_usd == 125_000_000
    usage = {
        "input_tokens": 0,
        "cache_creation_input_tokens": 2_000_000,
        "cache_creation": {"ephemeral_5m_input_tokens": 1_000_000, "ephemeral_1h_input_tokens": 1_000_000},
        "output_tokens": 0,
    }
    written = Tokens(input=2_000_000, cache_write=2_000_000)
    model = "claude-sonnet-4-5"
    detailed = prices.price(ANTHROPIC, Api.MESSAGES, model, Tokens(150_000, 0, 0, 150_000), time_ms=TIME_MS)
    assert detailed.nano_usd == 562_500_000
    whole = prices.price(ANTHROPIC, Api.MESSAGES, model, written, usage=usage, time_ms=TIME_MS).nano_usd
    plain = prices.price(ANTHROPIC, Api.MESSAGES, model, written, time_ms=TIME_MS).nano_usd
    assert whole is not None
    assert plain is not None
    assert whole > plain  # an hour in the cache costs more than five minutes


def test_a_service_tier_has_a_price_of_its_own_or_none() -> None:
    def price(tier: str | None, time_ms: int = 1_795_000_000_000) -> int | None:
        return Prices().price(OPENAI, Api.CHAT, "gpt-5", SOME, service_tier=tier, time_ms=time_ms).nano_usd

    assert price("default") == price(None) == price("auto") == 1_125_000_000
    assert (price("flex"), price("priority")) == (562_500_000, 2_250_000_000)
    assert price("golden") is None
    assert price("flex", TIME_MS) is None  # the list knows its price from October 2026 on


def test_usage_that_cannot_be_has_no_price() -> None:
    more_cached_than_there_is = Tokens(input=1, cache_read=1000)
    price = Prices().price(OPENAI, Api.CHAT, "gpt-5", more_cached_than_there_is)
    assert price.nano_usd is None
    assert price.reason is not None
    assert "no price for this usage" in price.reason
