"""Images built in memory: as much of a Dockerfile as needs no registry."""

import json
import re
from collections.abc import Callable

from loopyard.runtime.images import BASE_NAME, FILES_NAME, BuildFailed, BuildSpec, ImageSettings
from loopyard.runtime.protocol import SandboxSpec, User
from tests.unit.fake_runtime.disk import ROOT, Disk
from tests.unit.fake_runtime.image import base_disk
from tests.unit.fake_runtime.machine import PATH, Machine, execute
from tests.unit.fake_runtime.process import Process
from tests.unit.fake_runtime.streams import Held, Kept, Nothing

_MOST_OUTPUT = 1 << 20


class FakeBuilder:
    """See `ImageBuilder`. Knows FROM, RUN, ENV, WORKDIR, and COPY from the files of the build."""

    def __init__(self, images: dict[str, Disk], prepare: Callable[[Disk, SandboxSpec], None]) -> None:
        self._images = images
        self._prepare = prepare

    async def build(self, spec: BuildSpec, told: Callable[[str], None]) -> ImageSettings:
        disk, environment, folder = base_disk().copy(), {"PATH": PATH, "HOME": "/root"}, "/"
        self._prepare(disk, SandboxSpec(id=spec.id, user=User("root", 0)))
        for line in re.sub(r"\\\n", " ", spec.dockerfile).splitlines():
            word, _, rest = line.strip().partition(" ")
            match word.upper():
                case "FROM":
                    disk = self._from(rest.split()[0])
                case "ENV":
                    name, _, value = rest.partition("=")
                    environment[name.strip()] = value.strip('"')
                case "WORKDIR":
                    folder = rest if rest.startswith("/") else f"{folder.rstrip('/')}/{rest}"
                    disk.make_folders(folder, ROOT)
                case "COPY":
                    _copy(disk, spec, rest)
                case "RUN":
                    await _run(disk, rest, folder, {**environment, **spec.build_args, **spec.secrets}, told)
                case _:
                    pass
        self._images[spec.id] = disk
        return ImageSettings()

    def _from(self, name: str) -> Disk:
        if name == BASE_NAME:
            return base_disk().copy()
        if name not in self._images:
            raise BuildFailed("build_failed", f"There is no image {name}.")
        return self._images[name].copy()

    async def images(self) -> set[str]:
        return set(self._images)

    async def delete(self, image_id: str) -> None:
        self._images.pop(image_id, None)


def _copy(disk: Disk, spec: BuildSpec, rest: str) -> None:
    found = re.fullmatch(rf"--from={FILES_NAME} (--chown=(\d+):\d+ )?(\[.*\])", rest)
    if found is None:
        raise BuildFailed("build_failed", f"COPY {rest}: only files of the build can be copied here.")
    name, target = json.loads(found[3])
    disk.make_folders(target.rpartition("/")[0], ROOT)
    owner = int(found[2] or 0)
    file = disk.open_new(target, ROOT, 0o644)
    file.data[:], file.uid, file.gid = spec.files[name], owner, owner


async def _run(disk: Disk, command: str, folder: str, environment: dict[str, str], told: Callable[[str], None]) -> None:
    command = re.sub(r"^(--\S+\s+)+", "", command)
    argv = json.loads(command) if command.startswith("[") else ["/bin/sh", "-c", command]
    machine, output = Machine(disk, "build"), Kept(_MOST_OUTPUT)
    streams = {0: Held(Nothing()), 1: Held(output), 2: Held(output)}
    pid = machine.next_pid()
    process = machine.processes[pid] = Process(machine, pid, pid, ROOT, argv, environment, folder, streams)
    process.begin(lambda one: execute(one, argv))
    status = await process.wait()
    machine.stop()
    for line in output.data.decode(errors="replace").splitlines():
        told(line)
    if status != 0:
        raise BuildFailed("build_failed", f"RUN {command} exited with {status}.")
