"""Sources and flags of COPY and ADD."""

import posixpath
import re
from collections.abc import Callable, Iterator
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from e2b_dockerfile_utils import chomp_heredoc_content

from loopyard.dockerfile import bounds, values
from loopyard.dockerfile.errors import DockerfileError
from loopyard.dockerfile.flags import Flags, required
from loopyard.dockerfile.plan import (
    ContextRef,
    CopyStep,
    GitRepository,
    Heredoc,
    InlineFile,
    Instruction,
    Origin,
    Path,
    Place,
    Source,
    Url,
)
from loopyard.dockerfile.reading import heredoc_name
from loopyard.dockerfile.state import State

Value = TypeVar("Value")

_COPY_FLAGS = ("from", "chown", "chmod", "link", "parents")
_ADD_FLAGS = ("chown", "chmod", "link", "checksum", "keep-git-dir", "unpack")
_URL = re.compile(r"https?://", re.IGNORECASE)
_GIT_URL = re.compile(r"(git|ssh|git\+https?|git\+ssh)://|git@|[A-Za-z0-9_.-]+@[A-Za-z0-9_.-]+:", re.IGNORECASE)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z|sha384:[0-9a-f]{96}\Z|sha512:[0-9a-f]{128}\Z")
_COMMIT = re.compile(r"[0-9a-f]{7,64}\Z")


def copy_step(instruction: Instruction, state: State) -> CopyStep:
    """The step of COPY or ADD.

    Raises:
        DockerfileError: It is wrong, or has something that is not offered.
        Unknown: It has a variable whose value is not known yet.
    """
    return _Copy(instruction, state).step()


class _Copy:
    def __init__(self, instruction: Instruction, state: State) -> None:
        self._instruction = instruction
        self._state = state
        self._adds = instruction.name == "ADD"
        self._flags = Flags(instruction, _ADD_FLAGS if self._adds else _COPY_FLAGS, repeated=("exclude",))

    def step(self) -> CopyStep:
        instruction, state = self._instruction, self._state
        if len(instruction.args) < 2:
            raise DockerfileError(instruction.place, f"{instruction.name} needs at least one source and a destination.")
        source = self._flags.get("from")
        origin: Origin = ContextRef() if source is None else state.origin(required(source), source.place)
        exclude = tuple(self._exclude())
        parents = self._flags.truth("parents")
        for name in ("link", "keep-git-dir", "unpack"):
            self._flags.truth(name)
        owner, mode = self._expanded("chown"), self._expanded("chmod")
        sources = tuple(self._sources(origin, parents=parents))
        destination, into_folder = self._destination()
        if isinstance(origin, ContextRef) and any(isinstance(one, Path) for one in sources):
            state.uses_context = True
        return CopyStep(
            place=instruction.place,
            command="ADD" if self._adds else "COPY",
            origin=origin,
            sources=sources,
            destination=destination,
            into_folder=into_folder,
            owner=None if owner is None else self._parsed("chown", owner, values.owner),
            mode=None if mode is None else self._parsed("chmod", mode, values.mode),
            link=self._flags.truth("link"),
            parents=parents,
            exclude=exclude,
            unpack=self._flags.truth("unpack") if self._flags.get("unpack") else None,
            shown=instruction.shown,
        )

    def _expanded(self, name: str) -> str | None:
        flag = self._flags.get(name)
        return None if flag is None else self._state.expand(required(flag), flag.place)

    def _parsed(self, name: str, text: str, parse: Callable[[str], Value]) -> Value:
        try:
            return parse(text)
        except ValueError as error:
            flag = self._flags.get(name)
            raise DockerfileError(
                self._instruction.place if flag is None else flag.place, f"--{name}: {error}."
            ) from None

    def _exclude(self) -> Iterator[str]:
        for flag in self._flags.every("exclude"):
            pattern = self._state.expand(required(flag), flag.place)
            if len(pattern) > bounds.PATTERN_CHARACTERS:
                raise DockerfileError(flag.place, f"A pattern has at most {bounds.PATTERN_CHARACTERS} characters.")
            yield pattern

    def _destination(self) -> tuple[str, bool]:
        place = self._instruction.places[-1]
        text = self._instruction.args[-1]
        if self._instruction.heredocs and heredoc_name(text) is not None:
            raise DockerfileError(place, "A heredoc cannot be the destination.")
        text = self._state.expand(text, place)
        _check_path(text, place)
        workdir = self._state.config.workdir
        path = posixpath.normpath(posixpath.join("/", workdir, text))
        into = posixpath.basename(text) in ("", ".", "..")
        return "/" + path.lstrip("/"), into or path.strip("/") == ""

    def _sources(self, origin: Origin, *, parents: bool) -> Iterator[Source]:
        instruction = self._instruction
        documents = {heredoc.name: heredoc for heredoc in instruction.heredocs}
        checksum = self._expanded("checksum")
        if checksum is not None and len(instruction.args) > 2:
            raise DockerfileError(instruction.place, "--checksum stands for one source, and there are several.")
        for text, place in zip(instruction.args[:-1], instruction.places[:-1], strict=False):
            name = heredoc_name(text) if documents else None
            if name is not None and name in documents:
                yield self._inline(documents[name], place)
                continue
            expanded = self._state.expand(text, place)
            made = self._remote(expanded, place, checksum)
            if made is None and checksum is not None:
                raise DockerfileError(place, "--checksum is for sources from HTTP(S) and Git.")
            if made is not None and not isinstance(origin, ContextRef):
                raise DockerfileError(place, "With --from, sources are paths.")
            yield made or _path(expanded, place, parents=parents)

    def _inline(self, heredoc: Heredoc, place: Place) -> InlineFile:
        content = chomp_heredoc_content(heredoc.content) if heredoc.chomp else heredoc.content
        if heredoc.expands:
            content = self._state.expand_heredoc(content, place)
        if "/" in heredoc.name or heredoc.name in (".", ".."):
            raise DockerfileError(place, "The name of this heredoc is the file's name: it has no slashes.")
        return InlineFile(heredoc.name, content.encode())

    def _remote(self, text: str, place: Place, checksum: str | None) -> Source | None:
        path, _, fragment = text.partition("#")
        is_url = _URL.match(text) is not None
        is_git = _GIT_URL.match(text) is not None or (is_url and _url_path(path, place).endswith(".git"))
        if not is_url and not is_git:
            return None
        if not self._adds:
            raise DockerfileError(place, "COPY takes no URLs; ADD does.")
        if is_git:
            return self._git(path, fragment, place, checksum)
        if checksum is not None and not _DIGEST.match(checksum):
            flag = self._flags.get("checksum")
            raise DockerfileError(
                flag.place if flag else place, "--checksum of a URL is sha256: and 64 hexadecimal digits."
            )
        name = unquote(posixpath.basename(_url_path(path, place)))
        return Url(
            text, name if name not in ("", ".", "..") and "/" not in name and "\0" not in name else None, checksum
        )

    def _git(self, remote: str, fragment: str, place: Place, checksum: str | None) -> GitRepository:
        remote = re.sub(r"\Agit\+(https?://)", r"\1", remote, flags=re.IGNORECASE)
        if not _URL.match(remote) and not remote.lower().startswith("git://"):
            raise DockerfileError(place, "Git over SSH is not offered: builds have no SSH agent. Use https://….")
        if checksum is not None and not _COMMIT.match(checksum):
            flag = self._flags.get("checksum")
            raise DockerfileError(flag.place if flag else place, "--checksum of a repository is a commit's digits.")
        ref, _, subfolder = fragment.partition(":")
        if ref.startswith("-"):
            raise DockerfileError(place, "This is no name of a branch, tag or commit.")
        inside = posixpath.normpath("/" + subfolder).strip("/")
        return GitRepository(remote, ref, inside, self._flags.truth("keep-git-dir"), checksum)


def _url_path(url: str, place: Place) -> str:
    """The path of a URL, which must have a host."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
        parts = urlsplit("")
    if not host:
        raise DockerfileError(place, f"{url[:80]!r} is no URL that can be fetched.")
    return parts.path


def _check_path(text: str, place: Place) -> None:
    if len(text.encode()) > bounds.PATTERN_CHARACTERS:
        raise DockerfileError(place, f"A path has at most {bounds.PATTERN_CHARACTERS} bytes.")


def _path(text: str, place: Place, *, parents: bool) -> Path:
    _check_path(text, place)
    pivot = ""
    if parents and "/./" in text:
        pivot = posixpath.normpath("/" + text.partition("/./")[0]).strip("/")
    return Path(posixpath.normpath("/" + text).lstrip("/") or ".", text, pivot)
