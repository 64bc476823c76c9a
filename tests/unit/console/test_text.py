"""Hostile text: what hides is shown, what never ends is cut, what a terminal would obey is nothing."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from loopyard.console import ansi, figures
from loopyard.console.rendering import environment
from loopyard.console.text import one_line, visible


@pytest.mark.parametrize("hidden", ["\u202e", "\u2066", "\u200b", "\x00", "\x1b", "\x7f", "\u009b", "\ufeff", "\ud800"])
def test_hidden_characters_are_shown(hidden: str) -> None:
    assert visible(f"a{hidden}b") == f"a⟨U+{ord(hidden):04X}⟩b"


def test_text_is_kept() -> None:
    assert visible("Grüße, 世界 👩 a\tb\nc") == "Grüße, 世界 👩 a\tb\nc"


def test_long_text_is_cut_and_says_so() -> None:
    assert visible("x" * 25_000).endswith("… (5,000 more characters)")
    assert one_line("first\nsecond") == "first"
    assert len(one_line("x" * 1000, 40)) == 40


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("\x1b[31mred\x1b[0m plain", '<span class="a-f1">red</span> plain'),
        ("\x1b[1;32;44mx", '<span class="a-b a-f2 a-g4">x</span>'),
        ("\x1b[38;5;196mx\x1b[39my", '<span class="a-f9">x</span>y'),
        ("\x1b[38;2;0;200;0mx", '<span class="a-f10">x</span>'),
        ("\x1b]0;title\x07a", "a"),
        ("\x1b]52;c;aGk=\x1b\\a", "a"),
        ("\x1b]8;;javascript:alert(1)\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;never ends", ""),
        ("\x1b[2J\x1b[10;10Ha\x1b[?1049h", "a"),
        ("\x1bP1;2q~~~\x1b\\a", "a"),
        ("10%\r50%\r100%\r\n", "100%\n"),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("\x1b[999999999999999999999mx", "x"),
        ("\x1b", ""),
        ("a\x08b", "a⟨U+0008⟩b"),
    ],
)
def test_what_a_terminal_would_obey(given: str, shown: str) -> None:
    assert ansi.html(given) == shown


def test_a_colour_goes_on_in_the_next_line() -> None:
    assert ansi.html("\x1b[31ma\nb") == '<span class="a-f1">a</span>\n<span class="a-f1">b</span>'


@given(st.text(alphabet="\x1b[]m;0123489P^\\\x07\x9b\r\n<>&\"'a"))
def test_nothing_becomes_markup(text: str) -> None:
    shown = str(ansi.html(text))
    for line in shown.split("\n"):
        rest = line.replace("</span>", "")
        while '<span class="' in rest:
            before, _, after = rest.partition('<span class="')
            rest = before + after.partition('">')[2]
        assert "<" not in rest
    assert "\x1b" not in shown


def test_lines_of_megabytes_cost_little() -> None:
    begun = time.monotonic()
    shown = ansi.html("\x1b[31m<" * 2_000_000)
    assert time.monotonic() - begun < 30
    assert len(shown) < 400_000
    assert "line cut" in shown


def test_what_templates_print_is_escaped_and_visible() -> None:
    template = environment().from_string('<a title="{{ x }}">{{ x }}</a>{{ nothing }}{{ safe }}')
    shown = template.render(x="\"><script>'\u202e", nothing=None, safe=Markup("<b>"))
    escaped = "&#34;&gt;&lt;script&gt;&#39;⟨U+202E⟩"
    assert shown == f'<a title="{escaped}">{escaped}</a>—<b>'


def test_times_and_sizes_have_units() -> None:
    assert figures.size(1536) == "1.5 KiB"
    assert figures.span(125) == "2 min 5 s"
    assert figures.since(90) == "1 min ago"
    assert figures.since(-90) == "in 1 min"
    assert figures.exact(0) == "1970-01-01 00:00:00.000 UTC"
    assert figures.ago(10**18).startswith("<time")
