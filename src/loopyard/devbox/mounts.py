"""What can be put into a devbox before anyone uses it."""

from typing import Annotated, Literal

from pydantic import Field

from loopyard.kit.errors import BadRequest
from loopyard.kit.wire import Params, Text

MAX_MOUNTED_BYTES = 64 * 1024**2
"""Limit on the content of all file mounts of one devbox together: 64 MiB."""


class CodeMountParameters(Params):
    repo_name: Text
    repo_owner: Text
    token: Text | None = None
    git_ref: Text | None = None
    install_command: Text | None = None


class ObjectMount(Params):
    type: Literal["object_mount"]
    object_id: Text
    object_path: Text


class AgentMount(Params):
    type: Literal["agent_mount"]
    agent_id: Text | None
    agent_name: Text | None
    agent_path: Text | None = None
    auth_token: Text | None = None


class CodeMount(CodeMountParameters):
    type: Literal["code_mount"]


class FileMount(Params):
    type: Literal["file_mount"]
    content: Text
    target: Annotated[Text, Field(min_length=1, max_length=4096)]


class BrokerMount(Params):
    type: Literal["broker_mount"]
    axon_id: Text
    agent_binary: Text | None = None
    launch_args: list[Text] | None = None
    protocol: Literal["acp", "claude_json", "codex_json", "pi_json"] | None = None
    working_directory: Text | None = None


Mount = Annotated[ObjectMount | AgentMount | CodeMount | FileMount | BrokerMount, Field(discriminator="type")]


def files_of(file_mounts: dict[str, str] | None, mounts: list[Mount] | None) -> dict[str, str]:
    """The files to write, path to content, from both forms that the wire has for them.

    Raises:
        BadRequest: A kind of mount this server does not have yet, or more content than it takes.
    """
    files = dict(file_mounts or {})
    for index, mount in enumerate(mounts or []):
        if not isinstance(mount, FileMount):
            field = f"mounts.{index}.type"
            raise BadRequest(f"{field}: this server does not offer {mount.type} yet; use file_mount.", field=field)
        files[mount.target] = mount.content
    if any(not path or len(path) > 4096 for path in files):
        raise BadRequest("file_mounts: a path must have 1 to 4096 characters.", field="file_mounts")
    if sum(len(content.encode()) for content in files.values()) > MAX_MOUNTED_BYTES:
        raise BadRequest("file_mounts: all files together may have at most 64 MiB.", field="file_mounts")
    return files
