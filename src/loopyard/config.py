"""Settings of a server: from the command line, else the environment (`LOOPYARD_…`), else the defaults here."""

import os
import re
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from loopyard.account.config import Limits
from loopyard.agent.config import AgentConfig
from loopyard.audit.config import AuditConfig
from loopyard.benchmark_job.config import JobConfig
from loopyard.blueprint.config import BuildConfig
from loopyard.connections.config import ConnectionSettings
from loopyard.console.config import ConsoleConfig
from loopyard.devbox.ssh.config import SshConfig
from loopyard.devbox.tunnel.config import TunnelConfig
from loopyard.object.config import ObjectConfig
from loopyard.pty.config import PtyConfig
from loopyard.runtime.config import CrunConfig, RuntimeConfig
from loopyard.scorer.config import ScorerConfig
from loopyard.secret.keys import parse as parse_keys
from loopyard.upkeep.config import UpkeepConfig
from loopyard.upstream_proxy.config import GatewaySettings

_KINDS = {(1, "crun"), (1, "docker")}
_PREFIX, _NESTED = "LOOPYARD_", "__"
_DRIVERS = {
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
}
"""The schemes that a store's URL may have, each with the driver that is used."""


class InvalidSettings(Exception):
    """A setting cannot be what it is; the message names it, and never tells its value."""


def default_data_dir() -> Path:
    """/var/lib/loopyard for root, else `loopyard` in the user's own data folder."""
    if os.geteuid() == 0:
        return Path("/var/lib/loopyard")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "loopyard"


class Settings(BaseSettings):
    """Settings of one server."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_nested_delimiter=_NESTED, env_ignore_empty=True, extra="ignore"
    )

    data_dir: Path = Field(default_factory=default_data_dir, description="Where everything is kept.")
    database_url: str | None = Field(default=None, description="PostgreSQL, if the embedded SQLite is not wanted.")
    api_key: SecretStr | None = Field(default=None, description="The API key, instead of one made at first start.")
    pty: PtyConfig = Field(default_factory=PtyConfig, description="Terminals in devboxes over WebSocket.")
    ssh: SshConfig = Field(default_factory=SshConfig, description="SSH into devboxes.")
    secret_keys: SecretStr | None = Field(
        default=None,
        description="The keys that secrets are encrypted with, 32 bytes in base64 each, separated by commas; the first "
        "encrypts, all decrypt. Null keeps one in the data folder.",
    )
    objects: ObjectConfig = Field(default_factory=ObjectConfig, description="Where objects are kept.")
    tunnel: TunnelConfig = Field(default_factory=TunnelConfig, description="HTTP into devboxes, by host name.")
    code_host: str = Field(
        default="https://github.com",
        description="Where code mounts come from: `{code_host}/{repo_owner}/{repo_name}.git`.",
    )
    agents: AgentConfig = Field(default_factory=AgentConfig, description="Agents in devboxes.")
    gateway: GatewaySettings = Field(
        default_factory=GatewaySettings,
        description="Calls of devboxes to upstreams with credentials that they never see.",
    )
    connections: ConnectionSettings = Field(
        default_factory=ConnectionSettings, description="Connections to the server's port."
    )
    console: ConsoleConfig = Field(default_factory=ConsoleConfig, description="Pages for a browser at /console.")
    limits: Limits = Field(
        default_factory=Limits, description="What each account may have that has no limits of its own."
    )
    audit: AuditConfig = Field(default_factory=AuditConfig, description="The audit log.")
    upkeep: UpkeepConfig = Field(default_factory=UpkeepConfig, description="Freeing what nothing refers to.")
    builds: BuildConfig = Field(default_factory=BuildConfig, description="Builds of blueprints.")
    jobs: JobConfig = Field(default_factory=JobConfig, description="Benchmark jobs.")
    scorers: ScorerConfig = Field(default_factory=ScorerConfig, description="Scoring functions.")
    runtime: RuntimeConfig = Field(default_factory=CrunConfig, description="The provider of sandboxes.")

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return path.expanduser().absolute()

    @field_validator("database_url")
    @classmethod
    def _known_engine(cls, url: str | None) -> str | None:
        if url is not None and url.partition("://")[0] not in _DRIVERS:
            raise ValueError("give a PostgreSQL URL: postgresql://user:password@host/name")
        return url

    @field_validator("api_key")
    @classmethod
    def _fits_a_header(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not re.fullmatch(r"[\x21-\x7e]{1,1024}", key.get_secret_value()):
            raise ValueError("a key is 1 to 1024 characters of printable ASCII, without spaces")
        return key

    @field_validator("secret_keys")
    @classmethod
    def _are_keys(cls, keys: SecretStr | None) -> SecretStr | None:
        if keys is not None and not parse_keys(keys.get_secret_value()):
            raise ValueError("give at least one key")
        return keys

    @property
    def configured_secret_keys(self) -> str | None:
        """The keys of secrets, where they are set."""
        return None if self.secret_keys is None else self.secret_keys.get_secret_value()

    @property
    def store_url(self) -> str:
        """The SQLAlchemy URL of the store, with the driver named."""
        if self.database_url is None:
            return f"sqlite+aiosqlite:///{self.data_dir / 'loopyard.db'}"
        scheme, _, rest = self.database_url.partition("://")
        return f"{_DRIVERS[scheme]}://{rest}"


def load(**given: Any) -> Settings:
    """The settings, of which those given here go before the environment's; None is as good as not given.

    Raises:
        InvalidSettings: One of them cannot be.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        # Where settings are one of several kinds, pydantic names the kind as if it were a part of the place.
        place = [str(part) for index, part in enumerate(first["loc"]) if (index, part) not in _KINDS]
        variable = _PREFIX + _NESTED.join(place).upper()
        message = first["msg"].removeprefix("Value error, ")
        raise InvalidSettings(f"The setting {'.'.join(place)} ({variable}): {message}.") from error
