"""Selection of files from a context, and what its ignore file takes out."""

import os
from pathlib import Path

import pytest

from loopyard.dockerfile import DockerfileError
from loopyard.dockerfile.context import FolderTree, ignore_matcher, left_out, prune
from loopyard.dockerfile.digests import digest, file_digest
from loopyard.dockerfile.plan import CopyStep
from loopyard.dockerfile.selection import Entry, Selected, select, subtree
from tests.unit.dockerfile.planning import only

FILES = ("a.txt", "b.md", "src/one.py", "src/two.md", "src/deep/three.py", "src/deep/four.txt", "[x]/y")


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A context without links: the guard of unit tests takes deleting a link for deleting what it leads to."""
    root = tmp_path / "context"
    for name in FILES:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    (root / "empty").mkdir()
    (root / "a.txt").chmod(0o755)
    return root


@pytest.fixture
def folder(plain: Path) -> Path:
    root = plain
    (root / "link").symlink_to("a.txt")
    (root / "folder-link").symlink_to("src")
    (root / "absolute").symlink_to("/src/one.py")
    (root / "out").symlink_to("../../../../../../../../etc/passwd")
    (root / "src/dangling").symlink_to("/nowhere")
    (root / "loop").symlink_to("loop")
    os.mkfifo(root / "src/pipe")
    return root


def _taken(folder: Path, text: str, *, into: bool | None = None) -> dict[str, str]:
    step = only(CopyStep, text)
    chosen = select(FolderTree(folder), step, into_folder=step.into_folder if into is None else into)
    return {one.below: one.path for one in chosen}


SRC = {
    "": "src",
    "dangling": "src/dangling",
    "deep": "src/deep",
    "deep/four.txt": "src/deep/four.txt",
    "deep/three.py": "src/deep/three.py",
    "one.py": "src/one.py",
    "two.md": "src/two.md",
}


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("COPY a.txt /x", {"": "a.txt"}),
        ("COPY a.txt /x/", {"a.txt": "a.txt"}),
        ("COPY a.txt b.md /x/", {"a.txt": "a.txt", "b.md": "b.md"}),
        ("COPY src /x", SRC),
        ("COPY src/ /x/", SRC),
        ("COPY folder-link /x", SRC),
        ("COPY folder-link/one.py /x/", {"one.py": "src/one.py"}),
        ("COPY link /x/", {"link": "a.txt"}),
        ("COPY absolute /x/", {"absolute": "src/one.py"}),
        ("COPY ../a.txt /x", {"": "a.txt"}),
        ("COPY *.md *.txt /x/", {"b.md": "b.md", "a.txt": "a.txt"}),
        ("COPY *.none /x/", {}),
        ("COPY src/*/*.py /x/", {"three.py": "src/deep/three.py"}),
        ("COPY */one.py /x/", {"one.py": "src/one.py"}),
        ("COPY [[]x]/y /x/", {"y": "[x]/y"}),
        ("COPY [a-b].* /x/", {"a.txt": "a.txt", "b.md": "b.md"}),
        ("COPY ?.md /x/", {"b.md": "b.md"}),
        ("COPY em* /x/", {"": "empty"}),
        ("COPY --exclude=*.md --exclude=deep --exclude=dangling src /x", {"": "src", "one.py": "src/one.py"}),
        (
            "COPY --exclude=**/*.py --exclude=d* --exclude=!deep/three.py src /x",
            {"": "src", "two.md": "src/two.md", "deep": "src/deep", "deep/three.py": "src/deep/three.py"},
        ),
        ("COPY --exclude=*.md *.md a* /x/", {"a.txt": "a.txt", "absolute": "src/one.py"}),
        (
            "COPY --parents src/deep/*.py a.txt /x/",
            {"src": "src", "src/deep": "src/deep", "src/deep/three.py": "src/deep/three.py", "a.txt": "a.txt"},
        ),
        ("COPY --parents src/./deep/*.py /x/", {"deep": "src/deep", "deep/three.py": "src/deep/three.py"}),
        (
            "COPY --parents **/*.txt /x/",
            {"a.txt": "a.txt", "src": "src", "src/deep": "src/deep", "src/deep/four.txt": "src/deep/four.txt"},
        ),
        (
            "COPY --parents --exclude=**/four.txt src/deep /x/",
            {"src": "src", "src/deep": "src/deep", "src/deep/three.py": "src/deep/three.py"},
        ),
    ],
)
def test_what_is_taken(folder: Path, text: str, taken: dict[str, str]) -> None:
    assert _taken(folder, text) == taken


def test_a_destination_that_is_a_folder(folder: Path) -> None:
    assert _taken(folder, "COPY a.txt /x", into=True) == {"a.txt": "a.txt"}


def test_links_below_a_folder_stay_links(folder: Path) -> None:
    step = only(CopyStep, "COPY . /x")
    kinds = {one.below: one.entry.kind for one in select(FolderTree(folder), step, into_folder=False)}
    links = ("link", "out", "loop", "src/dangling")
    assert {kinds[name] for name in links} == {"link"}
    assert (kinds["a.txt"], kinds["src"]) == ("file", "folder")
    assert "src/pipe" not in kinds


def test_folders_come_before_what_is_in_them(folder: Path) -> None:
    step = only(CopyStep, "COPY . /x")
    seen: set[str] = set()
    for one in select(FolderTree(folder), step, into_folder=False):
        assert one.below == "" or one.below.rpartition("/")[0] in seen
        seen.add(one.below)


@pytest.mark.parametrize(
    "text",
    [
        "COPY none /x",
        "COPY out /x",
        "COPY loop /x",
        "COPY src/dangling /x",
        "COPY a.txt/b /x",
        "COPY src/da* /x/",
        "COPY [ /x",
        "COPY src/[z-] /x",
        "COPY --exclude=[ src /x",
        "COPY --parents none/x /x/",
    ],
)
def test_what_is_not_there(folder: Path, text: str) -> None:
    with pytest.raises(DockerfileError) as raised:
        _taken(folder, text)
    assert raised.value.place.line == 2


def test_nothing_leads_out(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    root = tmp_path / "context"
    (root / "in").mkdir(parents=True)
    targets = ("../secret", "../../secret", "/secret", str(tmp_path / "secret"), "in/../../secret")
    for number, target in enumerate(targets):
        (root / f"l{number}").symlink_to(target)
    (root / "up").symlink_to("..")
    (root / "in/up").symlink_to("../..")
    tree = FolderTree(root)
    for path in ("l0", "l1", "l2", "l3", "l4", "up/secret", "in/up/secret", "../secret", "in/up/context"):
        assert tree.find(path) is None
    assert tree.resolve("in/up/in") == "in"


# Ignore files.


def _left(folder: Path) -> set[str]:
    return {one.below for one in subtree(FolderTree(folder), "") if one.below}


@pytest.mark.parametrize(
    ("ignore", "left"),
    [
        ("**\n!./a.txt\n!**/*.py\n", {"a.txt", "src", "src/one.py", "src/deep", "src/deep/three.py"}),
        ("*\n!src/deep\n", {"src", "src/deep", "src/deep/three.py", "src/deep/four.txt"}),
        ("**\n", set[str]()),
        ("*\n!src/nothing\n", set[str]()),
        ("*\n!empty\n", {"empty"}),
        ("*.*\nsrc\n!src/one.py\n[[]x]\nempty\n", {"src", "src/one.py"}),
    ],
)
def test_an_ignore_file(plain: Path, ignore: str, left: set[str]) -> None:
    (plain / ".dockerignore").write_text(ignore)
    prune(plain)
    assert _left(plain) - {".dockerignore"} == left


def test_the_dockerfiles_own_comes_before_the_contexts(folder: Path) -> None:
    (folder / ".dockerignore").write_text("*\n")
    (folder / "Dockerfile.dockerignore").write_text("src\n")
    prune(folder)
    assert "a.txt" in _left(folder)
    assert "src" not in _left(folder)


def test_without_one_all_stays(folder: Path) -> None:
    before = _left(folder)
    prune(folder)
    assert _left(folder) == before
    assert ignore_matcher(folder) is None


def test_its_bad_patterns_are_told_with_their_line(folder: Path) -> None:
    (folder / ".dockerignore").write_text("a\n\n[\n")
    with pytest.raises(DockerfileError) as raised:
        prune(folder)
    assert (raised.value.place.file, raised.value.place.line) == (".dockerignore", 3)


def test_an_ignore_file_that_is_a_link_out_is_none(folder: Path) -> None:
    (folder / ".dockerignore").symlink_to("/etc/passwd")
    assert ignore_matcher(folder) is None


def test_what_is_left_out_is_only_read(folder: Path) -> None:
    (folder / ".dockerignore").write_text("*.md\n**/deep\n")
    matcher = ignore_matcher(folder)
    assert matcher is not None
    before = _left(folder)
    assert sorted(left_out(folder, matcher)) == ["b.md", "src/deep"]
    assert _left(folder) == before


def test_names_that_are_no_utf_8(tmp_path: Path) -> None:
    root = tmp_path / "context"
    root.mkdir()
    name = os.fsdecode(b"caf\xe9.txt")
    (root / name).write_text("x")
    (root / ".dockerignore").write_text("a\n*.md\n")
    prune(root)
    assert list(_taken(root, "COPY caf*.txt /x/").values()) == [name]


# Digests.


def _digest(folder: Path, text: str = "COPY . /x") -> str:
    step = only(CopyStep, text)

    def content(entry: Entry) -> str:
        return file_digest(str(getattr(entry, "real")))  # noqa: B009

    chosen = select(FolderTree(folder), step, into_folder=step.into_folder)
    return digest(chosen, content, extra=lambda _: "")


def test_a_digest_changes_with_content_mode_name_and_target(folder: Path) -> None:
    seen = [_digest(folder)]
    assert _digest(folder) == seen[0]
    os.utime(folder / "a.txt", (1, 1))
    assert _digest(folder) == seen[0]
    (folder / "a.txt").write_text("other")
    seen.append(_digest(folder))
    (folder / "a.txt").chmod(0o600)
    seen.append(_digest(folder))
    (folder / "a.txt").rename(folder / "c.txt")
    seen.append(_digest(folder))
    (folder / "link").unlink()
    (folder / "link").symlink_to("b.md")
    seen.append(_digest(folder))
    (folder / "new").mkdir()
    seen.append(_digest(folder))
    (folder / "empty").chmod(0o700)
    seen.append(_digest(folder))
    assert len(set(seen)) == len(seen)


def test_a_digest_of_a_part_does_not_change_with_the_rest(folder: Path) -> None:
    before = _digest(folder, "COPY src /x")
    (folder / "a.txt").write_text("other")
    assert _digest(folder, "COPY src /x") == before


def test_a_file_that_became_a_link_is_not_read(folder: Path) -> None:
    with pytest.raises(OSError, match="symbolic"):
        file_digest(str(folder / "link"))


def test_no_two_lists_have_one_digest(folder: Path) -> None:
    entry = FolderTree(folder).find("a.txt")
    assert entry is not None

    def of(*names: str) -> str:
        return digest([Selected("a.txt", name, entry) for name in names], lambda _: "", extra=lambda _: "")

    assert len({of("a", "b"), of("b", "a"), of("ab"), of("a"), of()}) == 5
