"""Hostile text made fit to be shown: what would hide, reorder or never end is made visible or cut."""

import re
import unicodedata

from markupsafe import Markup, escape

MOST_CHARACTERS = 20_000
"""How much of one value a page holds; longer ones end with how much is left out."""

_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Controls (but tab and line ends), what sets the direction of text, what has no width, and halves of characters."""


def visible(text: str, most: int = MOST_CHARACTERS) -> str:
    """The text with hidden characters written as `⟨U+202E⟩`, cut to `most` characters."""
    left_out = len(text) - most
    if left_out > 0:
        text = text[:most]
    text = _HIDDEN.sub(_name, text)
    return f"{text}… ({left_out:,} more characters)" if left_out > 0 else text


def _name(match: re.Match[str]) -> str:
    return f"⟨U+{ord(match.group()):04X}⟩"


def editable(text: str) -> Markup:
    """The whole text as the value of a field: what is sent back unchanged is what there was. Hidden characters are
    there, but not as themselves in the page."""
    return Markup(_HIDDEN.sub(_reference, str(escape(text))))  # noqa: S704 - it is escaped


def _reference(match: re.Match[str]) -> str:
    number = ord(match.group())
    return match.group() if 0x7F <= number <= 0x9F else f"&#{number};"  # browsers read these numbers as others


def typed(value: str) -> str:
    """A field's value as it was typed: browsers send ends of lines as CR LF."""
    return value.replace("\r\n", "\n")


def one_line(text: str, most: int = 120) -> str:
    """The first line of the text, cut to `most` characters."""
    first = text.strip().split("\n", 1)[0]
    return visible(first if len(first) <= most else first[: most - 1] + "…")


def sortable(text: str) -> str:
    """The text as it is compared with what somebody searches: without case and accents."""
    return unicodedata.normalize("NFKD", text).casefold()
