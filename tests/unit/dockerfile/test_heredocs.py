"""Heredocs of RUN, COPY, ADD and ONBUILD."""

from typing import Any

import pytest

from loopyard.dockerfile.plan import CopyStep, ImageConfig, InlineFile, RunStep
from tests.unit.dockerfile.planning import BASE, config, only, refused, steps


def _files(text: str, **options: Any) -> dict[str, str]:
    sources = only(CopyStep, text, **options).sources
    return {source.name: source.content.decode() for source in sources if isinstance(source, InlineFile)}


@pytest.mark.parametrize(
    ("text", "argv"),
    [
        ("RUN <<EOF\na\nb\nEOF\n", ("/bin/sh", "-c", "a\nb\n")),
        ("RUN <<-EOF\n\ta\n\t\tb\n\tEOF\n", ("/bin/sh", "-c", "a\nb\n")),
        ("RUN <<'EOF'\n$a\nEOF\n", ("/bin/sh", "-c", "$a\n")),
        ("RUN << EOF\na\nEOF\n", ("/bin/sh", "-c", "a\n")),
        ("RUN cat <<EOF >/a\nb\nEOF\n", ("/bin/sh", "-c", "cat <<EOF >/a\nb\nEOF")),
        ("RUN cat <<A ; cat <<-B\na\nA\n\tb\n\tB\n", ("/bin/sh", "-c", "cat <<A ; cat <<-B\na\nA\n\tb\nB")),
        ("RUN cat 3<<EOF\nx\nEOF\n", ("/bin/sh", "-c", "cat 3<<EOF\nx\nEOF")),
        ("RUN <<EOF bash\necho a\nEOF\n", ("/bin/sh", "-c", "<<EOF bash\necho a\nEOF")),
        ("RUN cat <<<word\n", ("/bin/sh", "-c", "cat <<<word")),
        ("RUN echo '<<EOF'\n", ("/bin/sh", "-c", "echo '<<EOF'")),
        ("RUN echo $((1 << 2))\n", None),
        ("RUN <<EOF\n# no comment\n\nFROM x\n\\\nEOF\n", ("/bin/sh", "-c", "# no comment\n\nFROM x\n\\\n")),
        ("RUN <<EOF\nEOF\n", ("/bin/sh", "-c", "")),
        ('RUN ["cat", "<<EOF"]\n', ("cat", "<<EOF")),
    ],
)
def test_heredocs_of_run(text: str, argv: tuple[str, ...] | None) -> None:
    if argv is None:
        # BuildKit takes this for a heredoc named 2)), as it does not know arithmetic.
        assert "does not end" in refused("FROM a\n" + text).reason
        return
    assert only(RunStep, text).argv == argv


def test_a_script_is_a_file_of_its_own() -> None:
    step = only(RunStep, "RUN <<-SCRIPT\n\t#!/usr/bin/env python3\n\tprint(1)\n\tSCRIPT\n")
    assert step.argv == ("/dev/pipes/SCRIPT",)
    assert step.script == b"#!/usr/bin/env python3\nprint(1)\n"


def test_the_shell_in_force_takes_heredocs() -> None:
    step = only(RunStep, 'SHELL ["/bin/bash", "-e", "-c"]\nRUN <<EOF\na\nEOF\n')
    assert step.argv == ("/bin/bash", "-e", "-c", "a\n")


def test_files_of_copy() -> None:
    text = "ENV A=1\nCOPY <<one <<-'two' plain /d/\n$A ${B:-2}\none\n\t$A\n\ttwo\n"
    step = only(CopyStep, text)
    assert [type(source).__name__ for source in step.sources] == ["InlineFile", "InlineFile", "Path"]
    assert _files(text) == {"one": "1 2\n", "two": "$A\n"}


@pytest.mark.parametrize(
    ("written", "content"),
    [
        ('"quotes in file"', '"quotes in file"\n'),
        ("it's", "it's\n"),
        ("\\\n", "\n\n"),
        ("\\\\", "\\\n"),
        ("\\$A", "$A\n"),
        ("$A", "1\n"),
        ("$", "$\n"),
        ("<b>", "<b>\n"),
        ("# no comment", "# no comment\n"),
    ],
)
def test_what_a_heredoc_of_copy_becomes(written: str, content: str) -> None:
    assert _files(f"ENV A=1\nCOPY <<EOF /a\n{written}\nEOF\n") == {"EOF": content}
    assert _files(f"ENV A=1\nCOPY <<'EOF' /a\n{written}\nEOF\n") == {"EOF": f"{written}\n"}


def test_add_takes_them_too() -> None:
    step = only(CopyStep, "ADD <<EOF /a\nb\nEOF\n")
    assert (step.command, step.sources) == ("ADD", (InlineFile("EOF", b"b\n"),))


def test_onbuild_keeps_them() -> None:
    text = "ONBUILD RUN <<EOF\na $b\nEOF\nONBUILD COPY <<'X' /x\ny\nX\n"
    made = config(text)
    assert made.on_build == ("RUN <<EOF\na $b\nEOF", "COPY <<'X' /x\ny\nX")
    found = steps("", ImageConfig(env=BASE.env, on_build=made.on_build))
    assert [type(step).__name__ for step in found] == ["RunStep", "CopyStep"]
    assert isinstance(found[0], RunStep)
    assert found[0].argv[2] == "a $b\n"


@pytest.mark.parametrize(
    ("text", "line", "column", "word"),
    [
        ("RUN <<EOF\na\n", 2, 5, "does not end"),
        ("RUN cat <<A <<B\na\nA\n", 2, 13, "does not end"),
        ("RUN <<EOF\na\nEOF \n", 2, 5, "does not end"),
        ("COPY a <<EOF\nb\nEOF\n", 2, 8, "destination"),
        ("COPY <<a/b /c/\nx\na/b\n", 2, 6, "slashes"),
        ("COPY <<EOF /c\n${x\nEOF\n", 2, 6, "heredoc"),
        ("RUN <<" + " <<".join(f"A{number}" for number in range(120)) + "\n", 2, 1, "does not end"),
    ],
)
def test_heredocs_that_are_refused(text: str, line: int, column: int, word: str) -> None:
    error = refused("FROM a\n" + text)
    assert word in error.reason
    assert error.place.line == line
    if "A119" not in text:
        assert error.place.column == column


def test_instructions_go_on_after_a_heredoc() -> None:
    found = steps("RUN <<EOF\na\nEOF\nRUN b\n")
    assert [step.argv[2] for step in found if isinstance(step, RunStep)] == ["a\n", "b"]
