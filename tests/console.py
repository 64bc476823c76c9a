"""The console as a browser without scripts uses it."""

import re
from collections.abc import Mapping
from typing import Any

import httpx


class Console(httpx.Client):
    """A client with the console's cookies. Redirects are not followed."""

    def __init__(self, base_url: str, **options: Any) -> None:
        super().__init__(base_url=base_url, headers={"accept": "text/html"}, timeout=60, **options)

    def log_in(self, key: str, *, expect: int = 303, then: str = "") -> httpx.Response:
        """Fill the login form in."""
        form = self.get("/console/login", params={"next": then} if then else {})
        found = re.search(r'name="token" value="([^"]+)"', form.text)
        assert found is not None, form.text
        answer = self.post("/console/login", data={"token": found[1], "key": key, "next": then})
        assert answer.status_code == expect, answer.text
        return answer

    def page(self, path: str, *, expect: int = 200) -> str:
        """A page's HTML. `path` is below /console."""
        answer = self.get(f"/console{path}")
        assert answer.status_code == expect, f"{answer.status_code} {answer.headers.get('location')} {answer.text}"
        return answer.text

    @property
    def csrf(self) -> str:
        """The token that changes need."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.page("/"))
        assert found is not None
        return found[1]

    def change(self, path: str, data: Mapping[str, Any] | None = None, *, expect: int = 303) -> httpx.Response:
        """Send a form. `path` is below /console."""
        answer = self.post(f"/console{path}", data={"csrf": self.csrf, **(data or {})})
        assert answer.status_code == expect, f"{answer.status_code} {answer.text}"
        return answer
