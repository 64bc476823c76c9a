"""Which names a list of patterns allows."""

import pytest

from loopyard.kit.host.hostnames import Hostnames, is_name


@pytest.mark.parametrize("name", ["a.org", "A.ORG", "a.org.", "x.b.org", "y.x.b.org", "_srv._tcp.b.org"])
def test_names_that_are_allowed(name: str) -> None:
    assert Hostnames(["A.org", "*.b.org."]).allow(name)


@pytest.mark.parametrize(
    "name",
    [
        "b.org",
        "x.a.org",
        "xb.org",
        "a.org.evil.test",
        "org",
        "",
        ".",
        ".b.org",
        "x..b.org",
        "*.b.org",
        "x b.org",
        "a.org\n",
    ],
)
def test_names_that_are_not(name: str) -> None:
    assert not Hostnames(["A.org", "*.b.org."]).allow(name)


def test_no_pattern_allows_nothing() -> None:
    assert not Hostnames([])
    assert not Hostnames([]).allow("a.org")


def test_what_a_name_is() -> None:
    assert is_name("a" * 63 + ".org")
    assert not is_name("a" * 64 + ".org")
    assert not is_name(".".join(["a" * 60] * 5))
    assert not is_name("-a.org")
    assert not is_name("a-.org")
    assert not is_name("a.org:443")
