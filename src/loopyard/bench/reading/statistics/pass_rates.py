"""How often one of several attempts passes, and how often all do."""

import math


def pass_at_k(n: int, c: int, k: int) -> float:
    """The probability that at least one of k attempts passes, estimated from n attempts of which c passed.

    The unbiased estimator of M. Chen et al., *Evaluating Large Language Models Trained on Code* (arXiv:2107.03374,
    2021), equation 1: 1 - C(n - c, k) / C(n, k).

    Raises:
        ValueError: Unless 0 <= c <= n and 1 <= k <= n.
    """
    _check(n, c, k)
    return 1 - math.comb(n - c, k) / math.comb(n, k)


def pass_hat_k(n: int, c: int, k: int) -> float:
    """The probability that all of k attempts pass, estimated from n attempts of which c passed.

    The unbiased estimator of S. Yao et al., *tau-bench: A Benchmark for Tool-Agent-User Interaction in Real-World
    Domains* (arXiv:2406.12045, 2024): C(c, k) / C(n, k).

    Raises:
        ValueError: Unless 0 <= c <= n and 1 <= k <= n.
    """
    _check(n, c, k)
    return math.comb(c, k) / math.comb(n, k)


def _check(n: int, c: int, k: int) -> None:
    if not 0 <= c <= n or not 1 <= k <= n:
        raise ValueError(f"{c} passes in {n} attempts say nothing about {k} attempts")


def useful_ks(attempts: int) -> list[int]:
    """Each power of two up to the number of attempts, and that number: 1, 2, 4, 5 for 5 attempts."""
    powers = [2**power for power in range(attempts.bit_length())]
    return sorted({*powers, attempts} if attempts else set())
