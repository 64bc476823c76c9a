"""Configuration of an image, as instructions change it."""

from dataclasses import dataclass

from loopyard.kit.host.linux import SEARCH_PATH

DEFAULT_PATH = SEARCH_PATH
"""PATH of a command whose image says none."""

DEFAULT_SHELL = ("/bin/sh", "-c")


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """HEALTHCHECK. `test` is `("NONE",)`, `("CMD", …)` or `("CMD-SHELL", command)`. Durations are nanoseconds, as in an
    OCI image's configuration; 0 inherits."""

    test: tuple[str, ...]
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """Configuration of an image. Entries keep the order in which they were set.

    `env` are pairs of name and value. `user` is as USER has it: `name`, `name:group`, numbers, or empty. An empty
    `workdir` is `/`, an empty `shell` is `DEFAULT_SHELL`. `entrypoint` and `cmd` are None where nothing is said, which
    `ENTRYPOINT []` is not. `on_build` are triggers, each the text of an instruction. Values of `labels` that the base
    has stay.
    """

    env: tuple[tuple[str, str], ...] = ()
    user: str = ""
    workdir: str = ""
    shell: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    labels: tuple[tuple[str, str], ...] = ()
    volumes: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    stop_signal: str = ""
    health_check: HealthCheck | None = None
    on_build: tuple[str, ...] = ()
    author: str = ""


SCRATCH = ImageConfig(env=(("PATH", DEFAULT_PATH),), workdir="/")
"""Configuration that `FROM scratch` begins with."""
