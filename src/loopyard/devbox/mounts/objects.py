"""Puts objects into devboxes: a file at its path, an archive unpacked into a folder.

Archives are unpacked inside of the devbox, by its own programs and as its user: whatever they hold (links, devices,
paths that lead out), they meet nothing but the box.
"""

import posixpath
from collections.abc import AsyncIterator

from loopyard.devbox.execution.engine import ExecutionEngine, NewExecution
from loopyard.devbox.execution.models import Execution
from loopyard.kit.errors import Unavailable
from loopyard.launch.folder import make_folder
from loopyard.launch.mounts import MountedObject
from loopyard.object.store import ContentMissing, ObjectStore
from loopyard.runtime.errors import FileAccessDenied
from loopyard.runtime.protocol import ROOT, CommandSpec, Runtime, User
from loopyard.runtime.user_paths import absolute

UNPACK_SECONDS = 1800.0
"""How long unpacking one object may take."""

_NOT_MINE = 93
"""The exit status that tells that only root may write there."""

_UNPACK = f"""
[ -w "$3" ] || exit {_NOT_MINE}
case $1 in
    gzip) gzip -dc < "$2" > "$4" ;;
    tgz) tar -x -z -o -f "$2" -C "$4" ;;
    *) tar -x -o -f "$2" -C "$4" ;;
esac
status=$?
rm -f -- "$2"
exit $status
"""
"""Arguments: the content type, the archive, the folder that is written to, and the place."""


class ObjectMounts:
    """All of it can be repeated after a crash: what was begun to be unpacked is not unpacked again."""

    def __init__(self, runtime: Runtime, executions: ExecutionEngine, store: ObjectStore) -> None:
        self._runtime = runtime
        self._executions = executions
        self._store = store

    async def put(self, devbox_id: str, mount: MountedObject, user: User, index: int) -> list[Execution]:
        """Put one object in. Returns the commands that did it, completed; the last tells whether all went well.

        Raises:
            RuntimeFault: The file could not be written.
            LoopyardError: The object is gone, or the devbox does not run any more.
        """
        path = absolute(mount.object_path, user)
        packed = mount.content_type in ("tar", "tgz") or (mount.content_type == "gzip" and not path.endswith(".gz"))
        if not packed:
            await self._write(devbox_id, mount.object_id, path)
            return []
        return await self._unpack(devbox_id, mount, path, user, f"launch.object.{index}")

    async def _unpack(self, devbox_id: str, mount: MountedObject, path: str, user: User, name: str) -> list[Execution]:
        folder = posixpath.dirname(path) if mount.content_type == "gzip" else path
        archive = f"/tmp/.{name}"  # noqa: S108
        if name not in await self._runtime.commands(devbox_id):
            await self._write(devbox_id, mount.object_id, archive)
        made = await self._run(devbox_id, f"{name}.folder", f"mkdir -p {folder}", make_folder(folder, user), ROOT)
        if made.exit_status != 0:
            return [made]
        argv = ["/bin/sh", "-c", _UNPACK, "sh", mount.content_type, archive, folder, path]
        shown = f"unpack object {mount.object_id} ({mount.content_type}) into {path}"
        done = await self._run(devbox_id, name, shown, argv, user)
        if done.exit_status == _NOT_MINE:  # a place that only root may write to, such as /etc
            done = await self._run(devbox_id, f"{name}.root", shown, argv, ROOT)
        return [done]

    async def _run(self, devbox_id: str, name: str, shown: str, argv: list[str], user: User) -> Execution:
        spec = CommandSpec(id=name, argv=argv, cwd="/", user=user, timeout_seconds=UNPACK_SECONDS)
        return await self._executions.run(devbox_id, NewExecution(spec, shown, purpose="launch"))

    async def _write(self, devbox_id: str, object_id: str, path: str) -> None:
        try:
            await self._runtime.write_file(devbox_id, path, self._content(object_id))
        except FileAccessDenied:
            await self._runtime.write_file(devbox_id, path, self._content(object_id), user=ROOT)

    async def _content(self, object_id: str) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._store.read(object_id):
                yield chunk
        except ContentMissing:
            raise Unavailable(f"Object {object_id} was deleted.") from None
        except OSError as error:
            raise Unavailable(f"Object {object_id} cannot be read: {error.strerror}.") from error
