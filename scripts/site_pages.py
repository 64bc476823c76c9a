"""Hook of mkdocs: pages from outside of docs/, and links between pages as the site has them.

Links in the repository are relative to the file, as code hosts show them. A link to a page leads to that page of the
site; one to another file of the repository becomes plain text. One to nothing ends the build.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]

PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "SECURITY.md": "SECURITY.md",
    "benchmarks/README.md": "benchmarks.md",
}
"""Files of the repository, and the pages that they become."""

_SOURCES = {page: file for file, page in PAGES.items()}
_LINK = re.compile(r"\[([^\]\n]*)\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^(```.*?^```)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages from outside of docs/."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text()))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Translate the links of a page, but not those in code."""
    here = page.file.src_uri
    source = _SOURCES.get(here, f"docs/{here}")

    def translated(match: re.Match[str]) -> str:
        text, target = match.groups()
        if re.match(r"[a-z]+:|#", target):
            return match[0]
        path, _, anchor = target.partition("#")
        file = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        if not (ROOT / file).exists():
            raise PluginError(f"{source}: there is no {target}")
        if file in PAGES:
            to = PAGES[file]
        elif file.startswith("docs/") and file.endswith(".md"):
            to = file.removeprefix("docs/")
        else:
            return text
        link = posixpath.relpath(to, posixpath.dirname(here) or ".")
        return f"[{text}]({link}{'#' if anchor else ''}{anchor})"

    parts = _FENCE.split(markdown)
    return "".join(part if part.startswith("```") else _LINK.sub(translated, part) for part in parts)
