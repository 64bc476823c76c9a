"""Steps of COPY and ADD."""

from typing import Any

import pytest

from loopyard.dockerfile.plan import CopyStep, GitRepository, ImageRef, Mode, Path, Url
from tests.unit.dockerfile.planning import only, refused

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "sources", "destination", "into"),
    [
        ("COPY a b", ["a"], "/w/b", False),
        ("COPY a b c/", ["a", "b"], "/w/c", True),
        ("COPY a .", ["a"], "/w", True),
        ("COPY a ./", ["a"], "/w", True),
        ("COPY a /", ["a"], "/", True),
        ("COPY a ..", ["a"], "/", True),
        ("COPY a /x/.", ["a"], "/x", True),
        ("COPY . /x", ["."], "/x", False),
        ("COPY / /x", ["."], "/x", False),
        ("COPY ./a/ /x", ["a"], "/x", False),
        ("COPY ../../a /x/../y", ["a"], "/y", False),
        ('COPY ["a b", "/c d/"]', ["a b"], "/c d", True),
        ("COPY $A/${B:-b} /x", ["aa/b"], "/x", False),
        ("COPY 'q' \"r\" /x/", ["q", "r"], "/x", True),
        (r"COPY a\ b /x/", ["a", "b"], "/x", True),
        ("COPY a*[0-9]?.txt /x/", ["a*[0-9]?.txt"], "/x", True),
        ("COPY a $NO", ["a"], "/w", True),
        ("COPY $NO x", ["."], "/w/x", False),
    ],
)
def test_sources_and_destination(text: str, sources: list[str], destination: str, into: bool) -> None:
    step = only(CopyStep, f"WORKDIR /w\nENV A=aa\n{text}")
    assert [source.pattern for source in step.sources if isinstance(source, Path)] == sources
    assert (step.destination, step.into_folder) == ((destination), into)


@pytest.mark.parametrize(
    ("flags", "field", "value"),
    [
        ("--chown=1:2", "owner", "1:2"),
        ("--chown=$U:staff", "owner", "app:staff"),
        ("--chmod=755", "mode", Mode(0o755)),
        ("--chmod=04711", "mode", Mode(0o4711)),
        ("--chmod=u+x,go=rX", "mode", Mode(None, (("u", "+", "x"), ("go", "=", "rX")))),
        ("--chmod=u=rw-x+s", "mode", Mode(None, (("u", "=", "rw"), ("u", "-", "x"), ("u", "+", "s")))),
        ("--chmod=+x", "mode", Mode(None, (("", "+", "x"),))),
        ("--chmod=g=u", "mode", Mode(None, (("g", "=", "u"),))),
        ("--chmod=$M", "mode", Mode(0o640)),
        ("--link", "link", True),
        ("--link=false", "link", False),
        ("--parents", "parents", True),
        ("--exclude=*.md --exclude=$U/x", "exclude", ("*.md", "app/x")),
        ("--from=busybox", "origin", ImageRef("busybox")),
    ],
)
def test_flags(flags: str, field: str, value: Any) -> None:
    assert getattr(only(CopyStep, f"ENV U=app M=640\nCOPY {flags} a /b"), field) == value


@pytest.mark.parametrize(
    ("mode", "before", "folder", "after"),
    [
        ("755", 0o600, False, 0o755),
        ("u+x", 0o644, False, 0o744),
        ("a+x", 0o644, False, 0o755),
        ("+x", 0o644, False, 0o755),
        ("go-rwx", 0o755, False, 0o700),
        ("u=rwX,go=rX", 0o600, False, 0o644),
        ("u=rwX,go=rX", 0o700, False, 0o755),
        ("u=rwX,go=rX", 0o600, True, 0o755),
        ("g=u", 0o740, False, 0o770),
        ("u+s", 0o755, False, 0o4755),
        ("g+s,+t", 0o755, True, 0o3755),
        ("a=", 0o4755, False, 0),
        ("u=", 0o4755, False, 0o055),
        ("o=g", 0o750, False, 0o755),
        ("u-x,u+r", 0o300, False, 0o600),
    ],
)
def test_modes(mode: str, before: int, folder: bool, after: int) -> None:
    step = only(CopyStep, f"COPY --chmod={mode} a /b")
    assert step.mode is not None
    assert oct(step.mode.apply(before, is_folder=folder)) == oct(after)


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("ADD https://example.org/a/b.tgz?x=1 /x/", Url("https://example.org/a/b.tgz?x=1", "b.tgz")),
        ("ADD http://example.org /x", Url("http://example.org", None)),
        ("ADD https://example.org/a%20b /x/", Url("https://example.org/a%20b", "a b")),
        ("ADD https://example.org/%2e%2e /x/", Url("https://example.org/%2e%2e", None)),
        (f"ADD --checksum={DIGEST} https://example.org/a /x", Url("https://example.org/a", "a", DIGEST)),
        ("ADD https://example.org/r.git /x", GitRepository("https://example.org/r.git")),
        (
            "ADD --keep-git-dir https://example.org/r.git#v1:docs/../a /x",
            GitRepository("https://example.org/r.git", "v1", "a", keep_git_folder=True),
        ),
        ("ADD git://example.org/r#main /x", GitRepository("git://example.org/r", "main")),
        (
            f"ADD --checksum={'a' * 40} https://example.org/r.git /x",
            GitRepository("https://example.org/r.git", checksum="a" * 40),
        ),
        ("ADD a.tgz /x", Path("a.tgz", "a.tgz")),
    ],
)
def test_sources_of_add(text: str, source: object) -> None:
    assert only(CopyStep, text).sources == (source,)


def test_unpacking() -> None:
    assert only(CopyStep, "ADD a /b").unpack is None
    assert only(CopyStep, "ADD --unpack https://example.org/a.tgz /b").unpack is True
    assert only(CopyStep, "ADD --unpack=false a.tgz /b").unpack is False


def test_the_point_from_which_parents_are_kept() -> None:
    (source,) = only(CopyStep, "COPY --parents ./x/./y/*.txt /d/").sources
    assert source == Path("x/y/*.txt", "./x/./y/*.txt", "x")


@pytest.mark.parametrize(
    ("text", "column", "word"),
    [
        ("COPY", 1, "at least one source"),
        ("COPY a", 1, "at least one source"),
        ('COPY ["a"]', 1, "at least one source"),
        ('COPY "a b" /c', 6, "double-quote"),
        ("COPY --chown=x:y:z a b", 6, "no user"),
        ("COPY --chown= a b", 6, "value"),
        ("COPY --chown=99999999999 a b", 6, "number"),
        ("COPY --chmod=999 a b", 6, "mode"),
        ("COPY --chmod=10000 a b", 6, "mode"),
        ("COPY --chmod=u+y a b", 6, "mode"),
        ("COPY --chmod=u a b", 6, "mode"),
        ("COPY --link=maybe a b", 6, "true or false"),
        ("COPY --from=$X a b", 6, "Variables"),
        ("COPY --from=1 a b", 6, "no stage 1"),
        ("COPY --from=-x a b", 6, "name of an image"),
        ("COPY --checksum=x a b", 6, "--checksum"),
        ("COPY --unknown a b", 6, "takes --from"),
        ("COPY --link --link a b", 13, "twice"),
        ("COPY https://example.org/a b", 6, "no URLs"),
        ("COPY git@example.org:r b", 6, "no URLs"),
        ("ADD --from=x a b", 5, "--from"),
        ("ADD git@example.org:r.git /x", 5, "SSH"),
        ("ADD ssh://example.org/r.git /x", 5, "SSH"),
        ("ADD https:///a /x", 5, "URL"),
        ("ADD --checksum=md5:1 https://example.org/a /x", 5, "sha256"),
        (f"ADD --checksum={DIGEST} a /x", 72 + 16, "HTTP"),
        (f"ADD --checksum={DIGEST} https://example.org/a b /x", 1, "one source"),
        ("ADD https://example.org/r.git#--upload-pack=x /y", 5, "branch"),
        (f"COPY {'x' * 5_000} /y", 6, "path"),
        (f"COPY x /{'y' * 5_000}", 8, "path"),
    ],
)
def test_refusals(text: str, column: int, word: str) -> None:
    error = refused(f"FROM a\n{text}\nRUN y\n")
    assert word in error.reason
    assert (error.place.line, error.place.column) == (2, column)
