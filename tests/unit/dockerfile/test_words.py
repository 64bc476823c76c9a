"""Words: quotes, escapes, variables with every modifier."""

import contextlib
import time

import pytest
from e2b_dockerfile_utils import ShellLex
from hypothesis import given, settings
from hypothesis import strategies as st

from loopyard.dockerfile.words import Lexer, WordError

VALUES = {"x": "value", "empty": "", "path": "/usr/local/lib/a.tar.gz", "pat": "*/", "A": "a b", "_1": "u"}


@pytest.mark.parametrize(
    ("word", "result"),
    [
        ("plain", "plain"),
        ("$x", "value"),
        ("${x}", "value"),
        ("$x$x", "valuevalue"),
        ("$xy", ""),
        ("$x.y", "value.y"),
        ("$_1", "u"),
        ("$1a", "a"),
        ("a$", "a$"),
        ("$/a", "$/a"),
        (r"\$x", "$x"),
        (r"a\ b", "a b"),
        (r"\\", "\\"),
        ("a\\", "a"),
        ("'$x'", "$x"),
        ("'a\\b'", "a\\b"),
        ('"$x"', "value"),
        (r'"\$x \" \\ \n"', '$x " \\ \\n'),
        ('"it\'s"', "it's"),
        ("a'b'\"c\"", "abc"),
        ("${x:-other}", "value"),
        ("${no:-other}", "other"),
        ("${no-other}", "other"),
        ("${empty:-other}", "other"),
        ("${empty-other}", ""),
        ("${no:-}", ""),
        ("${no:-$x}", "value"),
        ("${no:-${nein:-${x}}}", "value"),
        ("${no:-'a b'}", "a b"),
        ("${x:+other}", "other"),
        ("${no:+other}", ""),
        ("${empty:+other}", ""),
        ("${empty+other}", "other"),
        ("${x:?why}", "value"),
        ("${empty?why}", ""),
        ("${path#*/}", "usr/local/lib/a.tar.gz"),
        ("${path##*/}", "a.tar.gz"),
        ("${path%.*}", "/usr/local/lib/a.tar"),
        ("${path%%.*}", "/usr/local/lib/a"),
        ("${path#nothing}", "/usr/local/lib/a.tar.gz"),
        ("${path#/u?r}", "/local/lib/a.tar.gz"),
        ("${path##$pat}", "a.tar.gz"),
        ("${path/l/L}", "/usr/Local/lib/a.tar.gz"),
        ("${path//l/L}", "/usr/LocaL/Lib/a.tar.gz"),
        (r"${path//\//-}", "-usr-local-lib-a.tar.gz"),
        ("${path/l*l/X}", "/usr/Xib/a.tar.gz"),
        ("${path//o/}", "/usr/lcal/lib/a.tar.gz"),
        ("${x//?/$empty.}", "....."),
        ("${no#a}", ""),
        ("$@$*$#$?$-$$$!$0", ""),
        ("\u00fc$x", "\u00fcvalue"),
    ],
)
def test_a_word_becomes(word: str, result: str) -> None:
    assert Lexer(VALUES.get).expand(word) == result


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("${", "misses"),
        ("${x", "misses"),
        ("${}", "bad substitution"),
        ("${{x}}", "bad substitution"),
        ("${:x}", "bad substitution"),
        ("${x:=1}", "unsupported modifier"),
        ("${x:#a}", "unsupported modifier"),
        ("${x:/a/b}", "unsupported modifier"),
        ("${x^^}", "unsupported modifier"),
        ("${x:", "misses"),
        ("${x:-", "misses"),
        ("${x/a}", "misses"),
        ("${x/a/b", "misses"),
        ("'a", "single-quote"),
        ('"a', "double-quote"),
        ("${no:?it must be set}", "no: it must be set"),
        ("${no?}", "unset"),
        ("${empty:?}", "empty"),
        (r"${x#\v}", "escape"),
        ("${no:-" * 60 + "}" * 60, "nested"),
    ],
)
def test_a_word_is_refused(word: str, reason: str) -> None:
    with pytest.raises(WordError, match=reason.replace("(", r"\(")):
        Lexer(VALUES.get).expand(word)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b", ["a", "b"]),
        ("$A c", ["a", "b", "c"]),
        ('"$A" c', ["a b", "c"]),
        ("'a b'c", ["a bc"]),
        (r"a\ b", ["a b"]),
        ("  a\t b ", ["a", "b"]),
        ("$no", []),
        ("", []),
    ],
)
def test_words_are_split(text: str, words: list[str]) -> None:
    assert Lexer(VALUES.get).split(text) == words


def test_the_other_escape_character() -> None:
    assert Lexer(VALUES.get, "`").expand(r"C:\x`$x\$x") == r"C:\x$x\value"


def test_without_quotes() -> None:
    assert Lexer(VALUES.get, quotes=False).expand("'$x' \"\\$x") == "'value' \"$x"


def test_names_without_a_value_are_told() -> None:
    lexer = Lexer(VALUES.get)
    lexer.expand("$x $no ${nein:-1} ${empty}")
    assert lexer.unset == {"no"}


PIECES = st.sampled_from(
    [
        *"ab$*?. {}/'\"\\\u00fc\t",
        "b ",
        "$x",
        "${x}",
        "$no",
        "${no:-",
        "${x:+",
        "${path#",
        "${path%%",
        "${x/",
        "//",
        "<<",
        "${no?",
    ]
)


@settings(max_examples=600, deadline=None)
@given(st.lists(PIECES, max_size=9).map("".join), st.sampled_from(["\\", "`"]))
def test_it_reads_as_the_port_of_buildkits_lexer_does(text: str, escape: str) -> None:
    port = ShellLex(escape, env=VALUES, skip_unset_env=False)
    try:
        expected = port.process_word(text)
    except ValueError:
        with pytest.raises(WordError):
            Lexer(VALUES.get, escape).expand(text)
        return
    assert Lexer(VALUES.get, escape).expand(text) == expected


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("${v#" + "*a" * 500 + "b}", {"v": "a" * 20_000}),
        ("${v%%" + "*a" * 500 + "b}", {"v": "a" * 20_000}),
        ("${v//" + "a*" * 50 + "b/c}", {"v": "a" * 20_000}),
        ("${v//?/b}", {"v": "a" * 100_000}),
        ("$v" * 50_000, {"v": "a" * 100_000}),
        ("${v//a/$v}", {"v": "a" * 100_000}),
        ("${no:-" * 10_000, {}),
        ("\\" * 500_000, {}),
    ],
)
def test_hostile_words_end_soon(word: str, values: dict[str, str]) -> None:
    begun = time.process_time()
    with contextlib.suppress(WordError):
        assert len(Lexer(values.get).expand(word)) <= 2 << 20
    assert time.process_time() - begun < 10
