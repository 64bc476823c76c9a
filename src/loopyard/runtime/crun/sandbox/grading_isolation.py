"""Grading isolation, carried out by the launcher. See `runtime/grading.py` for what each method promises."""

import asyncio
import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from loopyard.kit.host.failpoint import failpoint
from loopyard.kit.host.linux import NO_SPACE_ERRORS
from loopyard.runtime.crun.launcher.client import LauncherClient, LauncherFault, LauncherLost
from loopyard.runtime.crun.launcher.requests import Compare, Request, Restore, Share, Snapshot, StopAll
from loopyard.runtime.crun.sandbox.paths import PathResolver
from loopyard.runtime.crun.sandbox.store import SandboxRecord
from loopyard.runtime.crun.storage.shared_folders import SharedFolders
from loopyard.runtime.errors import GradingIsolationFailed, NoSpaceLeft
from loopyard.runtime.folder_changes import FolderChanges
from loopyard.runtime.grading import RestoreReport, SharedFolder
from loopyard.runtime.layout import Layout, read_json, write_whole

_ATTEMPTS = 5
"""How often an act is asked for, if the launcher or its worker is killed meanwhile."""
STOPPED = "stopped"
"""In the bundle of a sandbox in which nothing could be started for a moment: what was refused then tells nothing."""

_REPORT = "put-back.json"
_FOLDER_CHANGES = "folder-changes.json"
_NO_SPACE = re.compile(rf"\[Errno ({'|'.join(map(str, sorted(NO_SPACE_ERRORS)))})\]")


class CrunGradingIsolation:
    """Grading isolation in the sandboxes of one provider. `running` finds a sandbox that runs, `pid_of` the process of
    one of its commands."""

    def __init__(
        self,
        launcher: LauncherClient,
        layout: Layout,
        crun: Sequence[str],
        running: Callable[[str], SandboxRecord],
        where: PathResolver,
        shared: SharedFolders,
        pid_of: Callable[[str, str], int | None],
    ) -> None:
        self._launcher = launcher
        self._layout = layout
        self._crun = list(crun)
        self._running = running
        self._where = where
        self._pid_of = pid_of
        self._shared = shared

    async def take_baseline(self, sandbox_id: str) -> None:
        self._running(sandbox_id)
        traces = self._where.of(sandbox_id)
        await self._ask(Snapshot(self._crun, traces.name, disk=str(traces.disk), target=str(traces.baseline)))

    async def stop_all(self, sandbox_id: str, *, spare: Collection[str] = ()) -> None:
        box, traces = self._running(sandbox_id), self._where.of(sandbox_id)
        (traces.bundle / STOPPED).touch()
        spared = [pid for name in spare if (pid := self._pid_of(sandbox_id, name)) is not None]
        await self._ask(StopAll(str(traces.bundle), traces.cgroup, init=box.pid, spare=spared))

    async def restore(self, sandbox_id: str, paths: Sequence[str], *, keep: str | None = None) -> None:
        box, traces = self._running(sandbox_id), self._where.of(sandbox_id)
        done = traces.bundle / "restored.json"
        start = {"pid": box.pid, "start_ticks": box.start_ticks}
        if read_json(done) == start:
            return
        await self._ask(
            Restore(
                pid=box.pid,
                ticks=box.start_ticks,
                bundle=str(traces.bundle),
                image=str(box.image),
                baseline=str(traces.baseline),
                disk=str(traces.disk),
                report=str(traces.bundle / _REPORT),
                uid_base=box.uid_base,
                paths=list(paths),
                keep=keep,
            )
        )
        failpoint("scoring.mounted")
        write_whole(done, start)

    async def restore_report(self, sandbox_id: str) -> RestoreReport | None:
        found = read_json(self._where.of(sandbox_id).bundle / _REPORT)
        return None if found is None else RestoreReport(**found)

    async def folder_changes(self, sandbox_id: str, image: Path | None, path: str) -> FolderChanges | None:
        """See `ComparesFolders`. `image` is the folder below the sandbox; None if there is no such sandbox."""
        traces = self._where.of(sandbox_id)
        if image is None:
            return None
        report = traces.bundle / _FOLDER_CHANGES
        if not report.exists():
            await self._ask(
                Compare(
                    image=str(image),
                    baseline=str(traces.baseline),
                    disk=str(traces.disk),
                    path=path,
                    report=str(report),
                )
            )
        return await asyncio.to_thread(_read_changes, report)

    async def share(self, sandbox_id: str, folder: SharedFolder, target: str, *, writable: bool = False) -> None:
        box = self._running(sandbox_id)
        async with self._shared.using(folder.name):
            await self._ask(
                Share(
                    pid=box.pid,
                    ticks=box.start_ticks,
                    uid_base=box.uid_base,
                    source=str(self._layout.shared(folder.name)),
                    files={name: str(path) for name, path in folder.files.items()},
                    target=target,
                    writable=writable,
                )
            )

    async def _ask(self, request: Request[Any]) -> None:
        try:
            for left in reversed(range(_ATTEMPTS)):
                try:
                    await self._launcher.ask(request)
                except LauncherLost:  # all of these acts can be repeated, whatever was done of them
                    if left == 0:
                        raise
                else:
                    return
        except LauncherFault as fault:
            if _NO_SPACE.search(str(fault)):
                raise NoSpaceLeft("the disk of the devbox is full") from fault
            raise GradingIsolationFailed(f"The host could not isolate the grading in the sandbox: {fault}") from fault


def _read_changes(report: Path) -> FolderChanges | None:
    found: dict[str, Any] | None = read_json(report)
    if found is None:
        return None
    patch, skipped = found.pop("patch").encode("latin-1"), tuple(found.pop("skipped"))
    return FolderChanges(patch=patch, skipped=skipped, **found)
