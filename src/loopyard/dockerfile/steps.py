"""Steps of a stage, each from an instruction and the state before it."""

import posixpath
from collections.abc import Callable, Iterator
from typing import Literal

from e2b_dockerfile_utils import chomp_heredoc_content

from loopyard.dockerfile import bounds, values
from loopyard.dockerfile.errors import DockerfileError
from loopyard.dockerfile.flags import Flags, required
from loopyard.dockerfile.mounts import mount
from loopyard.dockerfile.plan import (
    SCRIPT_FOLDER,
    BindMount,
    ConfigStep,
    HealthCheck,
    Instruction,
    Place,
    RunStep,
    Step,
    WorkdirStep,
)
from loopyard.dockerfile.reading import heredoc_name, trigger
from loopyard.dockerfile.sources import copy_step
from loopyard.dockerfile.state import State

_MOST_ARGUMENT_BYTES = 131_071
"""Length of one argument of a program on Linux, without the NUL at its end."""

_LEAST_NANOSECONDS = 1_000_000
_NEVER_TRIGGERED = ("ONBUILD", "FROM", "MAINTAINER")


def step(instruction: Instruction, state: State) -> Step:
    """The step that an instruction is, after what it says was taken over into the state.

    Raises:
        DockerfileError: It is wrong, or has something that is not offered.
        Unknown: It depends on the base image, which is not known yet.
    """
    return _STEPS[instruction.name](instruction, state)


def _configured(instruction: Instruction, state: State) -> ConfigStep:
    return ConfigStep(instruction.place, instruction.name, state.config, instruction.shown)


def _no_flags(instruction: Instruction) -> None:
    Flags(instruction, ())


def _only_argument(instruction: Instruction) -> str:
    _no_flags(instruction)
    if len(instruction.args) != 1:
        raise DockerfileError(instruction.place, f"{instruction.name} needs exactly one argument.")
    return instruction.args[0]


# RUN.


def _run(instruction: Instruction, state: State) -> Step:
    flags = Flags(instruction, ("network", "security", "device"), repeated=("mount",))
    network = _network(flags)
    if (security := flags.get("security")) is not None and required(security) != "sandbox":
        known = security.value == "insecure"
        reason = "is not offered: commands have no rights on the host" if known else "is sandbox or nothing"
        raise DockerfileError(security.place, f"--security={(security.value or '')[:40]} {reason}.")
    if (device := flags.get("device")) is not None:
        raise DockerfileError(device.place, "--device is not offered: builds have no devices of the host.")
    mounts = tuple(mount(flag, state, state.config.workdir) for flag in flags.every("mount"))
    targets = [one.target for one in mounts if one.target is not None]
    for flag, made in zip(flags.every("mount"), mounts, strict=True):
        if made.target is not None and targets.count(made.target) > 1 and isinstance(made, BindMount):
            raise DockerfileError(flag.place, f"Two mounts have the target {made.target[:100]}.")
    argv, script = _command(instruction, state)
    for argument in argv:
        if len(argument.encode()) > _MOST_ARGUMENT_BYTES:
            raise DockerfileError(
                instruction.place,
                f"The command has an argument of more than {_MOST_ARGUMENT_BYTES} bytes, which no Linux starts; "
                "put it into a file.",
            )
    return RunStep(
        place=instruction.place,
        argv=argv,
        shown=instruction.shown,
        env=state.environment,
        args=state.arguments,
        proxies=state.proxies,
        user=state.config.user,
        workdir=state.config.workdir or "/",
        mounts=mounts,
        network=network,
        script=script,
    )


def _network(flags: Flags) -> Literal["default", "none"]:
    flag = flags.get("network")
    if flag is None:
        return "default"
    value = required(flag)
    if value == "host":
        raise DockerfileError(flag.place, "--network=host is not offered: the host's network is closed to builds.")
    if value not in ("default", "none"):
        raise DockerfileError(flag.place, "--network is default or none.")
    return "none" if value == "none" else "default"


def _command(instruction: Instruction, state: State) -> tuple[tuple[str, ...], bytes | None]:
    if not instruction.args or (instruction.json and not instruction.args[0]):
        raise DockerfileError(instruction.place, "RUN needs a command.")
    if instruction.json:
        return instruction.args, None
    text = instruction.args[0]
    documents = instruction.heredocs
    if not documents:
        return (*state.shell, text), None
    if heredoc_name(text) is None:
        # The shell reads the heredocs itself.
        whole = text + "".join(f"\n{heredoc.content}{heredoc.name}" for heredoc in documents)
        return (*state.shell, whole), None
    only = documents[0]
    content = chomp_heredoc_content(only.content) if only.chomp else only.content
    if not content.startswith("#!"):
        return (*state.shell, content), None
    if "/" in only.name or only.name in (".", ".."):
        raise DockerfileError(instruction.place, "The name of a heredoc with a script has no slashes.")
    return (f"{SCRIPT_FOLDER}/{only.name}",), content.encode()


# Variables.


def _env(instruction: Instruction, state: State) -> Step:
    _no_flags(instruction)
    pairs = [
        (state.expand(name, place), state.expand(value, at), place) for name, value, place, at in _pairs(instruction)
    ]
    for name, value, place in pairs:
        if not name:
            raise DockerfileError(place, "The name of a variable is empty.")
        state.set_env(name, value, place)
    state.commit_env(instruction.place)
    return _configured(instruction, state)


def _pairs(instruction: Instruction) -> Iterator[tuple[str, str, Place, Place]]:
    if not instruction.args:
        raise DockerfileError(instruction.place, f"{instruction.name} needs at least one NAME=value.")
    args, places = instruction.args, instruction.places
    return zip(args[::2], args[1::2], places[::2], places[1::2], strict=True)


def _label(instruction: Instruction, state: State) -> Step:
    _no_flags(instruction)
    labels = dict(state.config.labels)
    for name, value, place, at in _pairs(instruction):
        key = state.expand(name, place)
        if not key:
            raise DockerfileError(place, "The name of a label is empty.")
        labels[key] = state.expand(value, at)
    state.change(instruction.place, labels=tuple(labels.items()))
    return _configured(instruction, state)


def _arg(instruction: Instruction, state: State) -> Step:
    for name, default, place in arguments(instruction):
        state.declare(name, None if default is None else state.expand(default, place), place)
    return _configured(instruction, state)


def arguments(instruction: Instruction) -> Iterator[tuple[str, str | None, Place]]:
    """The names that an ARG declares, each with its default and its place."""
    _no_flags(instruction)
    if not instruction.args:
        raise DockerfileError(instruction.place, "ARG needs at least one name.")
    for text, place in zip(instruction.args, instruction.places, strict=True):
        name, equals, default = text.partition("=")
        if not name:
            raise DockerfileError(place, "The name of an argument is empty.")
        yield name, (default if equals else None), place


# Configuration.


def _workdir(instruction: Instruction, state: State) -> Step:
    text = state.expand(_only_argument(instruction), instruction.places[0])
    if len(text.encode()) > bounds.PATTERN_CHARACTERS:
        raise DockerfileError(instruction.places[0], f"A path has at most {bounds.PATTERN_CHARACTERS} bytes.")
    path = "/" + posixpath.normpath(posixpath.join("/", state.config.workdir, text)).lstrip("/")
    state.change(instruction.place, workdir=path)
    return WorkdirStep(instruction.place, path, state.config, instruction.shown, state.config.user)


def _user(instruction: Instruction, state: State) -> Step:
    text = state.expand(_only_argument(instruction), instruction.places[0])
    try:
        state.change(instruction.place, user=values.owner(text))
    except ValueError as error:
        raise DockerfileError(instruction.places[0], f"USER: {error}.") from None
    return _configured(instruction, state)


def _volume(instruction: Instruction, state: State) -> Step:
    _no_flags(instruction)
    if not instruction.args:
        raise DockerfileError(instruction.place, "VOLUME needs at least one path.")
    volumes = dict.fromkeys(state.config.volumes)
    for text, place in zip(instruction.args, instruction.places, strict=True):
        volume = state.expand(text, place)
        if not volume:
            raise DockerfileError(place, "The path of a volume is empty.")
        volumes[volume] = None
    state.change(instruction.place, volumes=tuple(volumes))
    return _configured(instruction, state)


def _expose(instruction: Instruction, state: State) -> Step:
    _no_flags(instruction)
    if not instruction.args:
        raise DockerfileError(instruction.place, "EXPOSE needs at least one port.")
    exposed = dict.fromkeys(state.config.exposed)
    for text, place in zip(instruction.args, instruction.places, strict=True):
        for word in state.split(text, place):
            try:
                found = list(values.ports(word))
            except ValueError as error:
                raise DockerfileError(place, f"EXPOSE: {error}.") from None
            state.count(len(found), place)
            exposed.update(dict.fromkeys(found))
    state.change(instruction.place, exposed=tuple(exposed))
    return _configured(instruction, state)


def _program(instruction: Instruction, state: State) -> tuple[str, ...]:
    _no_flags(instruction)
    if instruction.json or not instruction.args:
        return instruction.args
    return (*state.shell, instruction.args[0])


def _entrypoint(instruction: Instruction, state: State) -> Step:
    program = _program(instruction, state)
    changes: dict[str, object] = {"entrypoint": program or None}
    if not state.cmd_is_own:
        changes["cmd"] = None
    state.change(instruction.place, **changes)
    return _configured(instruction, state)


def _cmd(instruction: Instruction, state: State) -> Step:
    state.change(instruction.place, cmd=_program(instruction, state))
    state.cmd_is_own = True
    return _configured(instruction, state)


def _shell(instruction: Instruction, state: State) -> Step:
    _no_flags(instruction)
    if not instruction.json or not instruction.args or not instruction.args[0]:
        raise DockerfileError(instruction.place, 'SHELL needs a JSON array, as in SHELL ["/bin/bash", "-c"].')
    state.change(instruction.place, shell=instruction.args)
    return _configured(instruction, state)


def _stop_signal(instruction: Instruction, state: State) -> Step:
    text = state.expand(_only_argument(instruction), instruction.places[0])
    try:
        state.change(instruction.place, stop_signal=values.stop_signal(text))
    except ValueError as error:
        raise DockerfileError(instruction.places[0], f"STOPSIGNAL: {error}.") from None
    return _configured(instruction, state)


def _maintainer(instruction: Instruction, state: State) -> Step:
    state.change(instruction.place, author=_only_argument(instruction))
    return _configured(instruction, state)


def _health_check(instruction: Instruction, state: State) -> Step:
    durations = ("interval", "timeout", "start-period", "start-interval")
    flags = Flags(instruction, (*durations, "retries"))
    kind = instruction.args[0].upper() if instruction.args else ""
    if kind == "NONE":
        if len(instruction.args) > 1 or instruction.flags:
            raise DockerfileError(instruction.place, "HEALTHCHECK NONE takes nothing else.")
        state.change(instruction.place, health_check=HealthCheck(("NONE",)))
        return _configured(instruction, state)
    if kind != "CMD":
        raise DockerfileError(instruction.place, "HEALTHCHECK is followed by CMD and a command, or by NONE.")
    command = instruction.args[1:]
    if not command:
        raise DockerfileError(instruction.place, "HEALTHCHECK CMD needs a command.")
    test = ("CMD", *command) if instruction.json else ("CMD-SHELL", command[0])
    interval, timeout, start_period, start_interval = (flags.value(name, _health_duration, 0) for name in durations)
    retries = flags.value("retries", values.number, 0)
    made = HealthCheck(test, interval, timeout, start_period, start_interval, retries)
    state.change(instruction.place, health_check=made)
    return _configured(instruction, state)


def _health_duration(text: str) -> int:
    made = values.duration(text)
    if 0 < made < _LEAST_NANOSECONDS:
        raise ValueError("the shortest is 1ms")
    return made


def _on_build(instruction: Instruction, state: State) -> Step:
    _no_flags(instruction)
    text = instruction.rest + "".join(f"\n{heredoc.content}{heredoc.name}" for heredoc in instruction.heredocs)
    if not text:
        raise DockerfileError(instruction.place, "ONBUILD needs an instruction.")
    first = text.split(None, 1)[0].upper()
    if first in _NEVER_TRIGGERED:
        raise DockerfileError(instruction.place, f"{first} cannot be a trigger.")
    try:
        trigger(text, "")
    except DockerfileError as error:
        raise DockerfileError(instruction.place, error.reason) from None
    if len(state.config.on_build) >= bounds.TRIGGERS:
        raise DockerfileError(instruction.place, f"An image has at most {bounds.TRIGGERS} triggers.")
    state.change(instruction.place, on_build=(*state.config.on_build, text))
    return _configured(instruction, state)


_STEPS: dict[str, Callable[[Instruction, State], Step]] = {
    "ADD": copy_step,
    "ARG": _arg,
    "CMD": _cmd,
    "COPY": copy_step,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _health_check,
    "LABEL": _label,
    "MAINTAINER": _maintainer,
    "ONBUILD": _on_build,
    "RUN": _run,
    "SHELL": _shell,
    "STOPSIGNAL": _stop_signal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
