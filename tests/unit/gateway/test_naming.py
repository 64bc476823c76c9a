"""Names of the MCP hub's tools, and which are allowed."""

import pytest

from loopyard.mcp_config.naming import is_allowed, service_of


@pytest.mark.parametrize(
    ("name", "service"), [("github", "github"), ("github-readonly", "github"), ("a_1-b-c", "a_1"), ("x-", "x")]
)
def test_a_service_is_what_a_name_begins_with(name: str, service: str) -> None:
    assert service_of(name) == service


@pytest.mark.parametrize("name", ["", "-x", "two words", "a.b-c", "\u00fc"])
def test_a_service_must_fit_into_a_tools_name(name: str) -> None:
    with pytest.raises(ValueError, match="letters"):
        service_of(name)


@pytest.mark.parametrize(
    ("globs", "allowed"),
    [
        (["*"], {"get_me", "search_code", "delete_repo"}),
        (["github.search_*", "github.get_*"], {"get_me", "search_code"}),
        (["get_me"], {"get_me"}),
        (["other.*"], set[str]()),
        (["github.GET_*"], set[str]()),
        (["github"], set[str]()),
    ],
)
def test_patterns_name_the_service_or_not(globs: list[str], allowed: set[str]) -> None:
    tools = ("get_me", "search_code", "delete_repo")
    assert {tool for tool in tools if is_allowed("github", tool, globs)} == allowed
