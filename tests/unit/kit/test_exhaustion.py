"""What ran out, by what programs say."""

import pytest

from loopyard.kit.host.exhaustion import ran_out, reason


@pytest.mark.parametrize(
    ("output", "what"),
    [
        ("dd: error writing 'x': No space left on device", "disk"),
        ("cp: error writing 'x': Disk quota exceeded", "disk"),
        ("bash: fork: retry: Resource temporarily unavailable", "processes"),
        ("RuntimeError: can't start new thread", "processes"),
        ("BlockingIOError: [Errno 11] Resource temporarily unavailable", "processes"),
        ("it failed", None),
    ],
)
def test_a_limit_in_the_way_is_named(output: str, what: str | None) -> None:
    assert ran_out(output) == what
    assert (reason(output) is None) is (what is None)
