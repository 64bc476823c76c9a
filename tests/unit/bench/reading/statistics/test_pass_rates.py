"""pass@k and pass^k against counting every choice of k attempts."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopyard.bench.reading.statistics.pass_rates import pass_at_k, pass_hat_k, useful_ks


@pytest.mark.parametrize(
    ("n", "c", "k"), [(n, c, k) for n in range(1, 8) for c in range(n + 1) for k in range(1, n + 1)]
)
def test_both_are_the_share_of_all_choices_of_k_attempts(n: int, c: int, k: int) -> None:
    choices = list(combinations([True] * c + [False] * (n - c), k))
    assert pass_at_k(n, c, k) == pytest.approx(sum(map(any, choices)) / len(choices))
    assert pass_hat_k(n, c, k) == pytest.approx(sum(map(all, choices)) / len(choices))


def test_the_example_of_the_paper() -> None:
    """Chen et al. compute pass@k as 1 - prod(1 - k / arange(n - c + 1, n + 1))."""
    product = 1.0
    for value in range(200 - 13 + 1, 201):
        product *= 1 - 10 / value
    assert pass_at_k(200, 13, 10) == pytest.approx(1 - product)


@given(st.data(), st.integers(1, 300))
def test_more_attempts_pass_at_least_once_more_often_and_always_less_often(data: st.DataObject, n: int) -> None:
    c = data.draw(st.integers(0, n))
    at = [pass_at_k(n, c, k) for k in range(1, n + 1)]
    hat = [pass_hat_k(n, c, k) for k in range(1, n + 1)]
    assert at[0] == pytest.approx(hat[0]) == pytest.approx(c / n)
    assert at == sorted(at)
    assert hat == sorted(hat, reverse=True)
    assert all(0 <= value <= 1 for value in at + hat)


@pytest.mark.parametrize(("n", "c", "k"), [(3, 4, 1), (3, -1, 1), (3, 1, 4), (3, 1, 0), (0, 0, 1)])
def test_what_cannot_be_estimated_is_refused(n: int, c: int, k: int) -> None:
    with pytest.raises(ValueError, match="say nothing about"):
        pass_at_k(n, c, k)
    with pytest.raises(ValueError, match="say nothing about"):
        pass_hat_k(n, c, k)


def test_ks_are_powers_of_two_and_all_attempts() -> None:
    assert [useful_ks(n) for n in (0, 1, 2, 3, 5, 8)] == [[], [1], [1, 2], [1, 2, 3], [1, 2, 4, 5], [1, 2, 4, 8]]
