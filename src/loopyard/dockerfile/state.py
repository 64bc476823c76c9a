"""State of a stage while its instructions become steps: configuration, variables, arguments."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from loopyard.dockerfile import bounds
from loopyard.dockerfile.errors import DockerfileError
from loopyard.dockerfile.naming import Names
from loopyard.dockerfile.plan import DEFAULT_PATH, DEFAULT_SHELL, ImageConfig, ImageRef, Origin, Place, StageRef
from loopyard.dockerfile.words import Budget, Lexer, WordError

PROXIES = tuple(
    name for one in ("HTTP", "HTTPS", "FTP", "NO", "ALL") for name in (f"{one}_PROXY", f"{one.lower()}_proxy")
)
"""Arguments that a build may be given without an ARG line, and that are no part of what it results in."""


class Unknown(Exception):
    """A value that is known only once the base image is there."""


class State:
    """State of one stage. `complete` is false as long as the configuration of the base is not known: then values that
    depend on it raise `Unknown`."""

    def __init__(
        self,
        names: Names,
        config: ImageConfig,
        outer: Mapping[str, str],
        build_args: Mapping[str, str],
        escape: str,
        budget: Budget,
        *,
        complete: bool,
    ) -> None:
        """`outer` are the arguments declared before the first FROM and the automatic ones, with their values."""
        self.names = names
        self.config = config
        self.complete = complete
        self.escape = escape
        self.cmd_is_own = False
        self.needs: set[int] = set()
        self.images: list[str] = []
        self.uses_context = False
        self.declared: set[str] = set()
        self._outer = outer
        self._build_args = build_args
        self._env = dict(config.env)
        self._args: dict[str, str | None] = {}
        self._entries = 0
        self._lexer = Lexer(self._lookup, escape, budget=budget)
        # BuildKit reads heredocs with this escape character whatever the Dockerfile's is.
        self._heredocs = Lexer(self._lookup, quotes=False, budget=budget)

    def _lookup(self, name: str) -> str | None:
        # Of ENV and ARG, the later one counts.
        value = self._args.get(name)
        if value is None:
            value = self._env.get(name)
        if value is None and not self.complete:
            raise Unknown
        return value

    # Text.

    def expand(self, text: str, place: Place) -> str:
        """The text as one word, with its variables replaced.

        Raises:
            DockerfileError: It has no meaning.
            Unknown: A value is not known yet.
        """
        try:
            return self._lexer.expand(text)
        except WordError as error:
            raise DockerfileError(place, f"{_sentence(error)}.") from None

    def split(self, text: str, place: Place) -> list[str]:
        """The words that the text has once its variables are replaced."""
        try:
            return self._lexer.split(text)
        except WordError as error:
            raise DockerfileError(place, f"{_sentence(error)}.") from None

    def expand_heredoc(self, text: str, place: Place) -> str:
        """The content of a heredoc, with its variables replaced."""
        try:
            return self._heredocs.expand(text)
        except WordError as error:
            raise DockerfileError(place, f"In the heredoc: {error}.") from None

    # Variables.

    def set_env(self, name: str, value: str, place: Place) -> None:
        """Set a variable of the image."""
        self._env[name] = value
        self._args.pop(name, None)
        self._check_size(place)

    def commit_env(self, place: Place) -> None:
        """Take the variables over into the configuration."""
        self.change(place, env=tuple(self._env.items()))

    def declare(self, name: str, default: str | None, place: Place) -> None:
        """Declare an argument; its value is the caller's, else the default, else the one from before the first FROM."""
        value = self._build_args.get(name, default)
        value = self._outer.get(name) if value is None else value
        if value is not None or name not in self._args:
            self._args[name] = value
        self.declared.add(name)
        self._check_size(place)

    def _check_size(self, place: Place) -> None:
        if len(self._env) + len(self._args) > bounds.VARIABLES:
            raise DockerfileError(place, f"A stage has at most {bounds.VARIABLES} variables.")
        pairs = [*self._env.items(), *self._args.items()]
        if sum(len(name) + len(value or "") for name, value in pairs) > bounds.ENVIRONMENT_CHARACTERS:
            raise DockerfileError(
                place, f"The variables of a stage have at most {bounds.ENVIRONMENT_CHARACTERS >> 20} MiB."
            )

    @property
    def environment(self) -> tuple[tuple[str, str], ...]:
        """The variables of the image that a command sees, PATH among them."""
        return self.config.env if "PATH" in self._env else (*self.config.env, ("PATH", DEFAULT_PATH))

    @property
    def arguments(self) -> tuple[tuple[str, str], ...]:
        """The arguments that a command sees, in the order of their names, which hide variables of the same names."""
        return tuple((name, value) for name, value in sorted(self._args.items()) if value is not None)

    @property
    def proxies(self) -> tuple[tuple[str, str], ...]:
        """The predefined arguments that the caller gave, and that neither ARG nor ENV sets."""
        return tuple(
            (name, self._build_args[name])
            for name in PROXIES
            if name in self._build_args and name not in self._args and name not in self._env
        )

    # Configuration.

    def change(self, place: Place, **fields: Any) -> None:
        """Set fields of the configuration."""
        self.count(sum(len(cast("tuple[Any, ...]", one)) for one in fields.values() if isinstance(one, tuple)), place)
        self.config = replace(self.config, **fields)

    def count(self, entries: int, place: Place) -> None:
        """Count entries that the configuration goes through."""
        self._entries += entries
        if self._entries > bounds.CONFIGURATION_ENTRIES:
            raise DockerfileError(place, "The configuration of this stage has too many entries.")

    @property
    def shell(self) -> tuple[str, ...]:
        """The shell of commands in shell form."""
        return self.config.shell or DEFAULT_SHELL

    # Files.

    def origin(self, text: str, place: Place) -> Origin:
        """Where a step takes files of; notes that it does."""
        found = self.names.origin(text, place)
        if isinstance(found, StageRef):
            self.needs.add(found.index)
        elif isinstance(found, ImageRef):
            self.images.append(found.name)
        return found


def _sentence(error: Exception) -> str:
    text = str(error)
    return text[:1].upper() + text[1:]
