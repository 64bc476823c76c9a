"""Makes HTML of templates. All that a template prints is escaped, and hidden characters in it are made visible."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from loopyard.console import ansi, assets, figures, text
from loopyard.version import VERSION


@cache
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(assets.HERE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=["jinja2.ext.do"],
    )
    made.filters.update(
        ago=figures.ago,
        exact=figures.exact,
        span=figures.span,
        size=figures.size,
        money=figures.money,
        count=figures.count,
        ansi=ansi.html,
        one_line=text.one_line,
        editable=text.editable,
    )
    known = cast("dict[str, Any]", made.globals)
    known.update(asset=assets.address, version=VERSION, missing_assets=assets.missing, id_path=_no_path)
    return made


def _finalize(value: Any) -> Any:
    if value is None:
        return "—"
    return text.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _no_path(_: str) -> str | None:
    return None


def set_links(links: Mapping[str, str]) -> None:
    """Have ids of these prefixes link to their pages: `{"dbx": "/devboxes/"}`."""

    def id_path(given: str) -> str | None:
        path = links.get(given.partition("_")[0])
        return None if path is None or not given.replace("_", "").isalnum() else f"/console{path}{given}"

    cast("dict[str, Any]", environment().globals)["id_path"] = id_path


def set_navigation(groups: Callable[..., Any]) -> None:
    """Have pages show these lines: what `navigation.Navigation.groups` gives for a page."""
    cast("dict[str, Any]", environment().globals)["navigation"] = groups


def render(template: str, context: Mapping[str, Any]) -> str:
    return environment().get_template(template).render(context)
