"""Ids: their order is the order of creation, across milliseconds, threads and clocks that step back."""

import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from loopyard.kit import ids
from loopyard.kit.ids import new_id


def test_shape() -> None:
    assert re.fullmatch(r"dbx_[0-9a-hjkmnp-tv-z]{26}", new_id("dbx"))


def test_order_is_creation() -> None:
    made = [new_id("scr") for _ in range(20_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def _many(count: int) -> list[str]:
    return [new_id("x") for _ in range(count)]


def test_unique_across_threads() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = [id_ for batch in pool.map(_many, [2_000] * 8) for id_ in batch]
    assert len(set(made)) == len(made)


def test_order_survives_a_clock_that_steps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = new_id("x")
    past = time.time_ns() - 3_600_000_000_000
    monkeypatch.setattr(ids.time, "time_ns", lambda: past)
    after = [new_id("x") for _ in range(100)]
    assert after == sorted(after)
    assert before < after[0]


def test_holds_the_time_of_creation() -> None:
    alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
    before = time.time_ns() // 1_000_000
    number = 0
    for digit in new_id("x").removeprefix("x_"):
        number = number * 32 + alphabet.index(digit)
    assert number >> 76 & 0xF == 7
    assert before <= number >> 80 <= time.time_ns() // 1_000_000
