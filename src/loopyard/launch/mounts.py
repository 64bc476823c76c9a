"""Mounts: content put into a devbox before anyone uses it."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from loopyard.kit.errors import BadRequest
from loopyard.kit.http.wire import Params, ShortText, Text

MAX_MOUNTED_BYTES = 64 * 1024**2
"""Limit on the content of all file mounts of one devbox together: 64 MiB."""


RepositoryName = Annotated[str, StringConstraints(pattern=r"^\.{0,2}[A-Za-z0-9_][A-Za-z0-9._-]{0,97}$")]
GitRef = Annotated[Text, StringConstraints(pattern=r"^[^-\s~^:?*\[\\][^\s~^:?*\[\\]*$", max_length=255)]
Token = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,4096}$")]


class CodeMountParameters(Params):
    """A repository to be cloned into the folder `repo_name` of the user's home."""

    repo_name: RepositoryName
    repo_owner: RepositoryName
    token: Token | None = None
    git_ref: GitRef | None = None
    install_command: Annotated[Text, Field(max_length=120_000)] | None = None


class ObjectMount(Params):
    """An object to be written to a path, or if it is an archive, to be unpacked into a folder."""

    type: Literal["object_mount"]
    object_id: Text
    object_path: Annotated[Text, Field(min_length=1, max_length=4096)]


@dataclass(frozen=True, slots=True)
class MountedObject:
    """An object mount that was found to be possible, as the devbox's row has it."""

    object_id: str
    object_path: str
    content_type: str


class AgentMount(Params):
    """An agent to be installed, by its id, or the newest of a name. `agent_path` is where it is put; agents from git
    and objects need it. `auth_token` opens a private repository."""

    type: Literal["agent_mount"]
    agent_id: ShortText | None
    agent_name: ShortText | None
    agent_path: Annotated[Text, Field(min_length=1, max_length=4096)] | None = None
    auth_token: Token | None = None


class CodeMount(CodeMountParameters):
    type: Literal["code_mount"]


class FileMount(Params):
    type: Literal["file_mount"]
    content: Text
    target: Annotated[Text, Field(min_length=1, max_length=4096)]


class BrokerMount(Params):
    """An agent to be run while the devbox does, and driven by the events of an axon."""

    type: Literal["broker_mount"]
    axon_id: ShortText
    agent_binary: Annotated[Text, Field(min_length=1, max_length=4096)] | None = None
    launch_args: Annotated[list[Annotated[Text, Field(max_length=65_536)]], Field(max_length=256)] | None = None
    protocol: Literal["acp", "claude_json", "codex_json", "pi_json"] | None = None
    working_directory: Annotated[Text, Field(min_length=1, max_length=4096)] | None = None


Mount = Annotated[ObjectMount | AgentMount | CodeMount | FileMount | BrokerMount, Field(discriminator="type")]


def files_of(file_mounts: dict[str, str] | None, mounts: list[Mount] | None) -> dict[str, str]:
    """The files to write, path to content, from both forms that the wire has for them.

    Raises:
        BadRequest: A path that cannot be, or more content than this server takes.
    """
    files = dict(file_mounts or {})
    for mount in mounts or []:
        if isinstance(mount, FileMount):
            files[mount.target] = mount.content
    if any(not path or len(path) > 4096 for path in files):
        raise BadRequest("file_mounts: a path must have 1 to 4096 characters.", field="file_mounts")
    if sum(len(content.encode()) for content in files.values()) > MAX_MOUNTED_BYTES:
        raise BadRequest("file_mounts: all files together may have at most 64 MiB.", field="file_mounts")
    return files


def repositories_of(
    code_mounts: list[CodeMountParameters] | None, mounts: list[Mount] | None
) -> list[CodeMountParameters]:
    """The repositories to clone, in order, from both forms that the wire has for them.

    Raises:
        BadRequest: Two would go into the same folder.
    """
    given = [("code_mounts", mount) for mount in code_mounts or []]
    given += [("mounts", mount) for mount in mounts or [] if isinstance(mount, CodeMount)]
    names: set[str] = set()
    for field, mount in given:
        if mount.repo_name in names:
            raise BadRequest(f"{field}: two repositories are named {mount.repo_name}.", field=field)
        names.add(mount.repo_name)
    return [mount for _, mount in given]
