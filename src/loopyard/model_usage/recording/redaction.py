"""Takes credentials out of what is recorded: those that the gateway knows, and what looks like one."""

import re
from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import unquote_plus

REMOVED = "[removed]"

_SHORTEST = 6
"""Characters of a credential that is looked for in texts: shorter ones would be found everywhere."""

_HEADER = re.compile(
    r"(proxy-)?authorization|(set-)?cookie2?|.*api[-_]?key.*|.*secret.*|.*passw.*|.*[-_]token|token|.*credential.*"
    r"|.*access[-_]key.*|.*signature.*",
    re.IGNORECASE,
)
_PARAMETER = re.compile(
    r"key|api[-_]?key|.*[-_]key|token|.*[-_]token|sig|.*signature|.*secret.*|.*passw.*|.*credential.*|code|auth.*",
    re.IGNORECASE,
)
_MEMBER = re.compile(
    r"(proxy[-_]?)?authorization|(x[-_])?(goog[-_])?api[-_]?key|access[-_]?key|secret[-_]?(access[-_]?)?key|private[-_]?key"
    r"|(access|refresh|id|auth|authorization|bearer|session|security)[-_]?token|client[-_]?secret|secret|password|passwd",
    re.IGNORECASE,
)
"""Names in JSON. A bare `token` is not among them: that is what a model says."""

_LOOKS = re.compile(
    r"(?:gws|mcp)_[A-Za-z0-9_-]{16,}"
    r"|\b(?:sk|rk|pk|ak)[-_](?:[a-z]+[-_])*[A-Za-z0-9_-]{16,}"
    r"|\bAIza[A-Za-z0-9_-]{30,}"
    r"|\b(?:gh[pousr]|github_pat|glpat|hf|xox[abprs])[-_][A-Za-z0-9_-]{16,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"
    r"|(?<=Bearer )[A-Za-z0-9._~+/-]{16,}=*"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.DOTALL,
)


class Redaction:
    """Redacts one call."""

    def __init__(self, known: Sequence[str]) -> None:
        """Take the credentials that are known: header values that the gateway sets, tokens of its own."""
        found: set[str] = set()
        for value in known:
            found.update((value, value.rpartition(" ")[2]))
        self._known = sorted((one for one in found if len(one) >= _SHORTEST), key=len, reverse=True)

    def text(self, text: str) -> str:
        """A text without credentials."""
        for one in self._known:
            text = text.replace(one, REMOVED)
        return _LOOKS.sub(REMOVED, text)

    def headers(self, headers: Sequence[tuple[str, str]]) -> list[list[str]]:
        """Header fields without the values of those that carry credentials."""
        return [[name, REMOVED if _HEADER.fullmatch(name) else self.text(value)] for name, value in headers]

    def target(self, target: str) -> str:
        """A path with its query, without the values of parameters that carry credentials."""
        path, mark, query = target.partition("?")
        pairs: list[str] = []
        for pair in query.split("&") if mark else []:
            name, equals, value = pair.partition("=")
            secret = equals and _PARAMETER.fullmatch(unquote_plus(name))
            pairs.append(f"{name}={REMOVED}" if secret else f"{name}{equals}{value}")
        return self.text(path + mark + "&".join(pairs))

    def json(self, value: Any) -> Any:
        """JSON without credentials.

        Raises:
            RecursionError: It is nested too deeply.
        """
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.json(one) for one in cast("list[Any]", value)]
        if isinstance(value, dict):
            return {
                self.text(name): REMOVED if isinstance(one, str) and _MEMBER.fullmatch(name) else self.json(one)
                for name, one in cast("dict[str, Any]", value).items()
            }
        return value
