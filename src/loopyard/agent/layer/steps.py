"""The commands that install an agent."""

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass

from loopyard.agent.layer import scripts
from loopyard.agent.layer.wanted import WantedAgent
from loopyard.launch.code_host import CLONE
from loopyard.launch.folder import make_folder
from loopyard.runtime.protocol import ROOT, User
from loopyard.runtime.user_paths import absolute

CONTENT = "/tmp/.loopyard-agent"  # noqa: S108 - inside the sandbox
"""Where the content of an object is put before its steps."""

_PACKED = ("tar", "tgz")


@dataclass(frozen=True, slots=True)
class Step:
    """A command. `shown` is what the log calls it, `first_line` what it reads, for a secret."""

    argv: Sequence[str]
    shown: str
    user: User = ROOT
    cwd: str = "/"
    first_line: str | None = None
    extra_path: str | None = None


def steps_of(agent: WantedAgent, user: User) -> list[Step]:
    """All that is to be done, in order."""
    source = agent.source
    if source.pip is not None:
        folder = _folder(agent, user)
        requirement = source.pip.package_name + _pip_version(agent.version)
        argv = ["/bin/sh", "-c", scripts.PIP, "sh", folder, requirement, source.pip.registry_url or ""]
        return [Step(argv, f"pip install {requirement}"), *_setup(agent, user, user.home, f"{folder}/bin")]
    if source.npm is not None:
        folder = _folder(agent, user)
        package = f"{source.npm.package_name}@{agent.version}" if agent.version else source.npm.package_name
        argv = ["/bin/sh", "-c", scripts.NPM, "sh", folder, package, source.npm.registry_url or ""]
        return [Step(argv, f"npm install {package}"), *_setup(agent, user, user.home, f"{folder}/bin")]
    path = absolute(agent.path or "", user)
    if source.git is not None:
        shown = f"git clone {source.git.repository}" + (f" && git checkout {agent.ref}" if agent.ref else "")
        clone = ["/bin/bash", "-c", CLONE, "bash", source.git.repository, path, agent.ref or ""]
        return [
            Step(["/bin/sh", "-c", scripts.GIT], "which git"),
            _make(path, user),
            Step(clone, shown, user, first_line=agent.token or ""),
            *_setup(agent, user, path),
        ]
    kind = _kind(agent.content_type, path)
    folder = path if kind in _PACKED else posixpath.dirname(path)
    unpack = ["/bin/sh", "-c", scripts.UNPACK, "sh", kind, CONTENT, path]
    return [
        _make(folder, user),
        Step(unpack, f"unpack object {source.object.object_id if source.object else ''} ({kind}) into {path}", user),
        Step(["/bin/rm", "-f", "--", CONTENT], f"rm {CONTENT}"),
        *_setup(agent, user, folder),
    ]


def _make(folder: str, user: User) -> Step:
    return Step(make_folder(folder, user), f"mkdir -p {folder}")


def _setup(agent: WantedAgent, user: User, cwd: str, path: str | None = None) -> list[Step]:
    return [Step(["/bin/bash", "-c", command], command, user, cwd, extra_path=path) for command in agent.source.setup]


def _folder(agent: WantedAgent, user: User) -> str:
    if agent.path is not None:
        return absolute(agent.path, user)
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", agent.name).strip(".-")[:100]
    return f"{scripts.AGENTS}/{plain or agent.agent_id}"


def _kind(content_type: str | None, path: str) -> str:
    """How the content is taken. What is packed by gzip alone stays so where the path says that it is."""
    if content_type in _PACKED or (content_type == "gzip" and not path.endswith(".gz")):
        return content_type
    return "file"


def _pip_version(version: str | None) -> str:
    if not version or version == "latest":
        return ""
    return version if version[0] in "<>=!~" else f"=={version}"
