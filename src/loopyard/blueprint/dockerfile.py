"""The Dockerfile that a blueprint's parameters stand for."""

import json
import shlex
from dataclasses import dataclass, field

from loopyard.blueprint.schemas import BlueprintBuildParameters
from loopyard.launch.code_host import CodeHost
from loopyard.launch.mounts import CodeMountParameters
from loopyard.runtime.images import BASE_NAME, FILES_NAME

_HOME = "/home/user"
_OWNER = "1000:1000"
"""The user that devboxes have if nobody says otherwise."""

_CLONE = (
    "token=$(cat /run/secrets/{secret} 2>/dev/null || :); export GIT_TERMINAL_PROMPT=0; "
    "[ -d {home} ] || {{ mkdir -p {home} && chown {owner} {home}; }}; "
    'git ${{token:+-c "credential.helper=!f() {{ [ \\"\\$1\\" != get ] || '
    "printf 'username=x-access-token\\\\npassword='; cat /run/secrets/{secret}; }}; f\"}} "
    "clone --quiet -- {url} {folder}{checkout} && chown -R {owner} {folder}"
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A Dockerfile, the files that it copies, by name, and the secrets that only some of its steps see."""

    dockerfile: str
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    hidden: dict[str, str] = field(default_factory=dict[str, str])


def recipe(
    params: BlueprintBuildParameters, base_blueprint_id: str | None, code_host: CodeHost, build: str = "BUILD"
) -> Recipe:
    """Compile the Dockerfile. `build` keeps steps whose results change from day to day out of the shared cache."""
    lines = (
        [params.dockerfile.rstrip()] if params.dockerfile is not None else [f"FROM {base_blueprint_id or BASE_NAME}"]
    )
    files: dict[str, bytes] = {}
    hidden: dict[str, str] = {}
    for number, (path, content) in enumerate((params.file_mounts or {}).items()):
        name = f"file-{number}"
        files[name] = content.encode()
        lines.append(_copy(name, path))
    for number, mount in enumerate(params.code_mounts or []):
        secret = f"loopyard-code-{number}"
        if mount.token:
            hidden[secret] = mount.token
        lines += _clone(mount, code_host.repository(mount), secret, build)
    lines += [_run(command) for command in params.system_setup_commands or []]
    return Recipe("\n".join(lines) + "\n", files, hidden)


def _copy(name: str, path: str) -> str:
    target = path if path.startswith("/") else f"{_HOME}/{path.removeprefix('~/')}"
    owner = f"--chown={_OWNER} " if target.startswith(f"{_HOME}/") else ""
    escaped = target.replace("\\", "\\\\").replace("$", "\\$")
    return f"COPY --from={FILES_NAME} {owner}{json.dumps([name, escaped])}"


def _clone(mount: CodeMountParameters, url: str, secret: str, build: str) -> list[str]:
    folder = f"{_HOME}/{mount.repo_name}"
    checkout = (
        f" && git -C {shlex.quote(folder)} checkout --quiet {shlex.quote(mount.git_ref)} --" if mount.git_ref else ""
    )
    command = _CLONE.format(
        secret=secret, home=_HOME, owner=_OWNER, url=shlex.quote(url), folder=shlex.quote(folder), checkout=checkout
    )
    mounted = f"--mount=type=secret,id={secret} " if mount.token else ""
    lines = [f"RUN {mounted}: {build}; {command}"]
    if mount.install_command:
        lines.append(_run(f"cd {shlex.quote(folder)} || exit; : {build}\n{mount.install_command}"))
    return lines


def _run(command: str) -> str:
    """A RUN of a command, whatever characters it has."""
    plain = "\n" not in command and "\r" not in command and not command.rstrip().endswith("\\")
    if plain and not command.lstrip().startswith(("--", "[", "<<")):
        return f"RUN {command}"
    return f"RUN {json.dumps(['/bin/sh', '-c', command])}"
