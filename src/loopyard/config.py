"""Settings of a server: from the command line, else the environment (`LOOPYARD_…`), else the defaults here."""

import os
from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from loopyard.devbox.tunnel.config import TunnelConfig
from loopyard.runtime.config import CrunConfig, RuntimeConfig


def default_data_dir() -> Path:
    """/var/lib/loopyard for root, else `loopyard` in the user's own data folder."""
    if os.geteuid() == 0:
        return Path("/var/lib/loopyard")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "loopyard"


class Settings(BaseSettings):
    """What one server runs on."""

    model_config = SettingsConfigDict(env_prefix="LOOPYARD_", env_nested_delimiter="__", extra="ignore")

    data_dir: Path = Field(default_factory=default_data_dir, description="Where everything is kept.")
    database_url: str | None = Field(default=None, description="PostgreSQL, if the embedded SQLite is not wanted.")
    api_key: SecretStr | None = Field(default=None, description="The API key, instead of one made at first start.")
    tunnel: TunnelConfig = Field(default_factory=TunnelConfig, description="HTTP into devboxes, by host name.")
    runtime: RuntimeConfig = Field(default_factory=CrunConfig, description="The provider of sandboxes.")

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return path.expanduser().absolute()

    @property
    def store_url(self) -> str:
        """The SQLAlchemy URL of the store, with the driver named."""
        if self.database_url is None:
            return f"sqlite+aiosqlite:///{self.data_dir / 'loopyard.db'}"
        scheme, separator, rest = self.database_url.partition("://")
        if scheme in ("postgres", "postgresql"):
            return f"postgresql+asyncpg{separator}{rest}"
        if scheme == "sqlite":
            return f"sqlite+aiosqlite{separator}{rest}"
        return self.database_url
