"""Lines of a Dockerfile: directives, continuation, comments, line ends."""

import pytest

from loopyard.dockerfile.plan import RunStep
from tests.unit.dockerfile.planning import only, refused, steps


def _command(text: str) -> str:
    return only(RunStep, text).argv[2]


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("RUN a \\\n b", "a  b"),
        ("RUN a \\\n  # a comment\n b", "a  b"),
        ("RUN a \\\n# a comment \\\n b", "a  b"),
        ("RUN a \\\n\n b", "a  b"),
        ("RUN a \\  \n b", "a  b"),
        ("RUN a\\\nb", "ab"),
        ("RUN a \\\\\nRUN b", None),
        ("  \tRUN   a", "a"),
        ("run a", "a"),
        ("RUN\ta", "a"),
        ("RUN a # b", "a # b"),
        ("RUN a \\", "a"),
        ("RUN a \\\n  ", "a"),
    ],
)
def test_lines_are_continued(text: str, command: str | None) -> None:
    found = [step.argv[2] for step in steps(text) if isinstance(step, RunStep)]
    assert found == ([command] if command is not None else ["a \\\\", "b"])


def test_an_empty_continued_line_is_warned_of() -> None:
    from loopyard.dockerfile import plan_dockerfile

    (warning,) = plan_dockerfile("FROM a\nRUN b \\\n\n c\n").warnings
    assert (warning.place.line, "empty line" in warning.message) == (2, True)


def test_the_escape_character_is_chosen() -> None:
    text = "# escape=`\nFROM base\nRUN a `\n b \\\nENV A=`$B C=\\\\\n"
    from tests.unit.dockerfile.planning import expanded

    made = expanded(text)
    assert [step.argv[2] for step in made.steps if isinstance(step, RunStep)] == ["a  b \\"]
    assert dict(made.config.env)["A"] == "$B"
    assert dict(made.config.env)["C"] == "\\\\"


@pytest.mark.parametrize(
    "head",
    [
        "# syntax=docker/dockerfile:1\n",
        "#syntax = docker/dockerfile:1.7-labs\n# escape=\\\n# check=skip=all;error=true\n",
        "# syntax=docker.io/docker/dockerfile:1@sha256:" + "a" * 64 + "\n",
        "# a comment\n# syntax=anything\n",
        "# unknown=1\n# escape=x\n",
        "\n# escape=x\n",
        "\ufeff# syntax=docker/dockerfile:1\n",
        "  # Syntax=docker/dockerfile:1\n",
    ],
)
def test_directives_that_are_taken(head: str) -> None:
    from loopyard.dockerfile import plan_dockerfile

    assert plan_dockerfile(head + "FROM a\nRUN b\\\nc\n").stages[0].instructions[0].rest == "bc"


@pytest.mark.parametrize(
    ("head", "line", "word"),
    [
        ("# escape=x\n", 1, "escape"),
        ("# syntax=docker/dockerfile:1\n# escape=\\\n# escape=`\n", 3, "Only one escape"),
        ("# syntax=example/other:1\n", 1, "Frontends"),
        ("# check=nonsense\n", 1, "check"),
        ("# syntax=" + "a" * 5_000 + "\n", 1, "at most"),
    ],
)
def test_directives_that_are_refused(head: str, line: int, word: str) -> None:
    error = refused(head + "FROM a\n")
    assert (error.place.line, word in error.reason) == (line, True)


def test_windows_line_ends_and_a_byte_order_mark() -> None:
    from tests.unit.dockerfile.planning import expanded

    text = "\ufeffFROM base\r\nENV A=1 \\\r\n  B=2\r\nRUN <<EOF\r\nls\r\npwd\r\nEOF\r\nCOPY <<EOF /a\r\nb\r\nEOF\r\n"
    made = expanded(text)
    assert dict(made.config.env)["B"] == "2"
    (run,) = [step for step in made.steps if isinstance(step, RunStep)]
    assert run.argv[2] == "ls\npwd\n"


def test_a_line_of_many_characters_is_a_line_like_others() -> None:
    text = f"RUN echo {'x' * 70_000}\nRUN false\n"
    made = [step for step in steps(text) if isinstance(step, RunStep)]
    assert len(made[0].argv[2]) == 70_005
    assert made[1].argv[2] == "false"


def test_the_last_line_needs_no_end() -> None:
    assert _command("RUN a") == "a"
    assert _command("RUN a\n\n\n") == "a"


def test_bytes_are_read_as_utf_8() -> None:
    from loopyard.dockerfile import plan_dockerfile

    plan = plan_dockerfile("FROM a\n# caf\xe9 in Latin-1\nRUN b\n".encode("latin-1"))
    assert plan.stages[0].instructions[0].rest == "b"
    error = refused("FROM a\nRUN caf\xe9\n".encode("latin-1"))
    assert (error.place.line, error.place.column) == (2, 8)
    assert "UTF-8" in error.reason


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [("FROM a\nRUN \0", 2, 5), ("FROM a\nRUN \ud800", 2, 5)],
)
def test_characters_that_nothing_can_have(text: str, line: int, column: int) -> None:
    error = refused(text)
    assert (error.place.line, error.place.column) == (line, column)


def test_places_count_through_continued_lines() -> None:
    error = refused("FROM a\n\nRUN --mount=type=cache,target=/a \\\n  # comment\n\n   --mount=type=ssh \\\n b\n")
    assert (error.place.line, error.place.column) == (6, 4)
    assert str(error).splitlines()[1:] == [" 6 |    --mount=type=ssh \\", "   |    ^"]


def test_a_long_line_is_shown_around_its_column() -> None:
    error = refused(f"FROM a\nCOPY {'x ' * 1_000}--no $A ${{B\n")
    shown = str(error).splitlines()
    assert len(shown) == 3
    assert all(len(line) < 140 for line in shown)
    assert shown[1][shown[2].index("^")] == "$"
