from typing import Any

from sqlalchemy import JSON, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from loopyard.devbox.lifecycle.statuses import Status
from loopyard.store.base import ID, Base, ForeignId, PrimaryId, StringMapColumn
from loopyard.store.columns import EnumText

_LIVE = text("NOT reclaimed")
_FROM_BLUEPRINT = text("blueprint_id IS NOT NULL")
_FROM_SNAPSHOT = text("snapshot_id IS NOT NULL")


class Devbox(Base):
    """A devbox as the API knows it. Its sandbox in the runtime has the same id."""

    __tablename__ = "devbox"
    __table_args__ = (
        Index("ix_devbox_account_id_id", "account_id", "id"),
        Index("ix_devbox_account_id_status_id", "account_id", "status", "id"),
        Index("ix_devbox_tunnel_key", "tunnel_key", unique=True),
        Index("ix_devbox_snapshot_id", "snapshot_id", sqlite_where=_FROM_SNAPSHOT, postgresql_where=_FROM_SNAPSHOT),
        Index("ix_devbox_blueprint_id", "blueprint_id", sqlite_where=_FROM_BLUEPRINT, postgresql_where=_FROM_BLUEPRINT),
        Index("ix_devbox_live", "status", sqlite_where=_LIVE, postgresql_where=_LIVE),
    )

    id: Mapped[PrimaryId]
    account_id: Mapped[ForeignId]
    name: Mapped[str | None]
    status: Mapped[Status] = mapped_column(EnumText(Status))
    metadata_: Mapped[StringMapColumn] = mapped_column("metadata")
    environment_variables: Mapped[StringMapColumn]
    launch_parameters: Mapped[dict[str, Any]]
    file_mounts: Mapped[StringMapColumn] = mapped_column(deferred=True)
    """Path to content. Not loaded with the row: it may be megabytes."""
    code_mounts: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True), deferred=True)
    """Repositories to clone, as `CodeMountParameters`, without their tokens, which are held elsewhere."""
    object_mounts: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True), deferred=True)
    """Objects to put in, as `MountedObject`."""
    has_agents: Mapped[bool] = mapped_column(default=False)
    """True if there are rows of `DevboxAgent` with it."""
    has_broker: Mapped[bool] = mapped_column(default=False)
    """True if there is a row of `Broker` with it."""
    secrets: Mapped[StringMapColumn]
    """Environment variables to names of secrets, whose values are looked up each time it comes up."""
    gateway_specs: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    mcp_specs: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Configurations and secrets to call upstream with, as the wire shows them: by variable."""
    has_grants: Mapped[bool] = mapped_column(default=False)
    """True if there are rows of `UpstreamGrant` with it."""
    entrypoint: Mapped[str | None]
    snapshot_id: Mapped[str | None] = mapped_column(ID)
    """The snapshot that it is made from."""
    blueprint_id: Mapped[str | None] = mapped_column(ID)
    """The blueprint that it is made from."""
    image: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Settings of the image below it, as `ImageSettings`; None where there are none."""
    services: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    """Services beside it, as `ServiceSpec`."""
    working_directory: Mapped[str | None]
    """An absolute path that is made before it runs, and belongs to its user if it was not there."""
    tunnel: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Its tunnel as the wire has it, with the token, which the API shows again whenever it shows the devbox."""
    tunnel_key: Mapped[str | None] = mapped_column(String(64))
    """The tunnel's key once more, to find the devbox by."""
    tunnel_made_by: Mapped[str | None] = mapped_column(ID)
    """The key that the tunnel was made with, and ends with."""
    state_transitions: Mapped[list[Any]] = mapped_column(JSON)
    starts: Mapped[int] = mapped_column(default=0)
    """How often it was resumed. What runs at each start is known by it, and so is run once at each."""
    initiator_type: Mapped[str]
    initiator_id: Mapped[str | None]
    create_time_ms: Mapped[int]
    expires_at_ms: Mapped[int | None]
    """When `keep_alive_time_seconds` ends; None where an idle policy takes its place."""
    idle_after_ms: Mapped[int | None]
    """How long nobody may use it before the idle policy ends it; None without such a policy."""
    evict_at_ms: Mapped[int | None]
    """When the operator wants it off this host: it is suspended then."""
    active_at_ms: Mapped[int]
    """When it became usable, or its files were last used. The executions know their own times."""
    end_time_ms: Mapped[int | None]
    shutdown_reason: Mapped[str | None]
    failure_reason: Mapped[str | None]
    reclaimed: Mapped[bool] = mapped_column(default=False)
    """True if the runtime has freed all of an ended devbox."""
