"""Cases of the conformance suite: Dockerfiles as data, with what has to result."""

import bz2
import gzip
import io
import lzma
import re
import subprocess
import tarfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from loopyard.dockerfile import Options, plan_dockerfile

FOLDER = Path(__file__).parent / "cases"
CHECKED = "/checked"
DOCKER_VERSION = "20.10"
"""The dockerd that the differences are listed for."""

_LONG = "x" * 70_000


@dataclass(frozen=True, slots=True)
class Case:
    """A Dockerfile with its context, and what the files or the configuration of its image are, or how it fails.

    `docker` says why the BuildKit of `DOCKER_VERSION` does something else. `limit` is what our own builder says when it
    refuses the case, which others build. A word in capitals between at signs is filled in, see `text`.
    """

    group: str
    name: str
    dockerfile: str
    context: dict[str, str | dict[str, Any]] = field(default_factory=dict[str, "str | dict[str, Any]"])
    args: dict[str, str] = field(default_factory=dict[str, str])
    files: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    absent: list[str] = field(default_factory=list[str])
    config: dict[str, Any] = field(default_factory=dict[str, Any])
    error: dict[str, Any] | None = None
    docker: str | None = None
    limit: str | None = None

    @property
    def id(self) -> str:
        return f"{self.group}: {self.name}"

    def text(self, filled: Mapping[str, str]) -> str:
        """The Dockerfile to be built, with `filled` for words such as `@WEB@`. Its first line is number 2 in what the
        case expects."""
        words = {"LONG": _LONG, "UNIQUE": uuid4().hex, **filled}
        return "\n" + re.sub("@([A-Z]+)@", lambda found: words[found[1]], self.dockerfile)

    @property
    def is_remote(self) -> bool:
        """Tells whether it fetches from the host of `remote.py`."""
        return any(word in self.dockerfile for word in ("@WEB@", "@GIT@", "@ADDRESS@"))

    def paths(self) -> list[str]:
        """The paths that are looked at."""
        return [*self.files, *self.absent]


def cases(*groups: str) -> list[Case]:
    """The cases of some files, or of all."""
    found: list[Case] = []
    for file in sorted(FOLDER.glob("*.toml")):
        if not groups or file.stem in groups:
            found += [Case(file.stem, **one) for one in tomllib.loads(file.read_text())["case"]]
    return found


def checking(case: Case, filled: Mapping[str, str]) -> str:
    """A Dockerfile that tells, by its last step's output, what the paths of the case's image are."""
    text = case.text(filled)
    if text.startswith("\n# syntax"):
        # A directive stands in the first line.
        text = text[1:]
    if case.error is not None:
        return text
    script = "".join(f"look {_quoted(path)}; " for path in case.paths())
    look = (
        f'look() {{ p="{CHECKED}$1"; if [ -L "$p" ] || [ -e "$p" ]; then '
        r"""echo "@@ $(stat -c '%f %u %g' "$p") """
        r"""$(readlink "$p" | od -An -tx1 -v | tr -d ' \n')"""
        r""". $( [ -f "$p" ] && [ ! -L "$p" ] && [ $(stat -c %s "$p") -lt 2000 ] """
        r"""&& od -An -tx1 -v "$p" | tr -d ' \n'). $(stat -c %Y "$p") $(attributes "$p").";"""
        ' else echo "@@ absent"; fi; }; '
    )
    last = plan_dockerfile(text, Options(build_args=case.args)).stages[-1]
    lines = text.split("\n")
    if last.name is None:
        lines[last.place.line - 1] += " AS last"
    text = "\n".join(lines)
    mount = f"--mount=type=bind,from={last.name or 'last'},target={CHECKED}"
    return f"{text}\nFROM base\nRUN {mount} : {uuid4()}; {look}{script}\n"


def _quoted(path: str) -> str:
    return "'" + path + "'"


def differences(case: Case, output: str) -> list[str]:
    """What of the output is not as the case says."""
    told = [line[line.index("@@ ") :] for line in output.splitlines() if "@@ " in line and "echo " not in line]
    if len(told) != len(case.paths()):
        return [f"{len(told)} of {len(case.paths())} files were told of: {output[-3_000:]}"]
    wrong: list[str] = []
    for path, line in zip(case.paths(), told, strict=True):
        found = None if line.strip() == "@@ absent" else _parsed(line)
        wanted = None if path in case.absent else case.files[path]
        if found is None or wanted is None:
            if (found is None) != (wanted is None):
                wrong.append(f"{path}: {'missing' if found is None else 'there'}")
            continue
        if "link" in wanted:
            wanted = {"kind": "link", **wanted}
        elif "content" in wanted:
            wanted = {"kind": "file", **wanted}
        for name, value in wanted.items():
            if found[name] != value:
                wrong.append(f"{path}: {name} is {found[name]!r}, not {value!r}")
    return wrong


def _parsed(line: str) -> dict[str, Any]:
    _, mode, uid, gid, target, content, moment, attributes = line.strip().split(" ")
    bits = int(mode, 16)
    kinds = {0o040000: "folder", 0o100000: "file", 0o120000: "link"}
    return {
        "kind": kinds.get(bits & 0o170000, "other"),
        "mode": f"{bits & 0o7777:o}",
        "owner": f"{uid}:{gid}",
        "link": bytes.fromhex(target.removesuffix(".")).decode().rstrip("\n"),
        "content": bytes.fromhex(content.removesuffix(".")).decode(errors="replace"),
        "modified": int(moment),
        "attributes": dict(one.split("=") for one in attributes.removesuffix(".").split(",") if one),
    }


def packed(case: Case) -> bytes:
    """The context of a case as a tar archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
        for folder in sorted({parent for name in case.context for parent in _parents(name)} - {*case.context}):
            _add(tar, folder, {"folder": "755"})
        for name, what in case.context.items():
            _add(tar, name, {"content": what} if isinstance(what, str) else what)
    return buffer.getvalue()


def _parents(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]


def _add(tar: tarfile.TarFile, name: str, what: Mapping[str, Any]) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode = int(what.get("mode", "644"), 8)
    entry.mtime = what.get("modified", 0)
    given: dict[str, str] = what.get("attributes", {})
    entry.pax_headers = {f"SCHILY.xattr.{one}": bytes.fromhex(value).decode() for one, value in given.items()}
    content = b""
    if "link" in what:
        entry.type, entry.linkname = tarfile.SYMTYPE, what["link"]
    elif "hard" in what:
        entry.type, entry.linkname = tarfile.LNKTYPE, what["hard"]
    elif "folder" in what:
        entry.type, entry.mode = tarfile.DIRTYPE, int(what["folder"], 8)
    else:
        content = _archive(what) if "archive" in what else what["content"].encode()
        entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


def _archive(what: Mapping[str, Any]) -> bytes:
    """An archive, compressed as `packed` says, with the entries of the mapping `archive`, or with one file of that
    name, which has an owner and a mode of its own."""
    buffer = io.BytesIO()
    form = tarfile.USTAR_FORMAT if what.get("packed") == "old" else tarfile.PAX_FORMAT
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        if isinstance(what["archive"], dict):
            entries = cast("dict[str, str | dict[str, Any]]", what["archive"])
            for name, one in entries.items():
                _add(tar, name, {"content": one} if isinstance(one, str) else one)
        else:
            entry = tarfile.TarInfo(what["archive"])
            entry.size, entry.uid, entry.gid, entry.mode, entry.mtime = 3, 9, 9, 0o640, 1_000_000_000
            tar.addfile(entry, io.BytesIO(b"in\n"))
    return _PACKERS[what.get("packed", "gzip")](buffer.getvalue())


def _zstd(content: bytes) -> bytes:
    return subprocess.run(["zstd", "--quiet", "--stdout"], input=content, capture_output=True, check=True).stdout


def _without_word(content: bytes) -> bytes:
    """A tar as it was before its heads had a word for it."""
    head = bytearray(content[:512])
    head[257:265] = bytes(8)
    head[148:156] = b" " * 8
    head[148:156] = f"{sum(head):06o}\0 ".encode()
    return bytes(head) + content[512:]


_PACKERS = {
    "": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": _zstd,
    "old": _without_word,
}
