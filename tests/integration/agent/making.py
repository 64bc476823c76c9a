"""Agents for tests: archives that are objects, and mounts."""

import io
import tarfile
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
from runloop_api_client import Runloop
from runloop_api_client.types import AgentView


def archive(client: Runloop, files: Mapping[str, str], content_type: str = "tgz") -> str:
    """An object that holds these files, packed; its id."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz" if content_type == "tgz" else "w") as packed:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(text.encode()), 0o755
            packed.addfile(info, io.BytesIO(text.encode()))
    return uploaded(client, out.getvalue(), content_type)


def uploaded(client: Runloop, content: bytes, content_type: str) -> str:
    """An object with this content; its id."""
    made = client.objects.create(name="agent", content_type=content_type)  # type: ignore[arg-type]
    assert made.upload_url is not None
    httpx.put(made.upload_url, content=content).raise_for_status()
    client.objects.complete(made.id)
    return made.id


def from_archive(client: Runloop, name: str, setup: Sequence[str] = (), **files: str) -> AgentView:
    """An agent whose files come from an archive."""
    object_id = archive(client, files or {"run.sh": "#!/bin/sh\necho ran\n"})
    return client.agents.create(
        name=name, source={"type": "object", "object": {"object_id": object_id, "agent_setup": [*setup]}}
    )


def mount(agent: AgentView | str, path: str | None = "/home/user/agent", **more: str) -> Any:
    """The mount of an agent, by its id, or if it is a text by its name."""
    by_name = isinstance(agent, str)
    found = {"agent_id": None if by_name else agent.id, "agent_name": agent if by_name else None}
    return {"type": "agent_mount", **found, **({} if path is None else {"agent_path": path}), **more}
