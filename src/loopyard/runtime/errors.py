"""Errors below the API. A command that fails is a result, never one of these."""


class RuntimeFault(Exception):
    """Base of every error a provider raises. Its message is fit to be shown to the caller."""


class RuntimeUnavailable(RuntimeFault):
    """The provider cannot work on this host. The message says what is missing and how to get it."""


class SandboxNotFound(RuntimeFault):
    """No sandbox of this id exists: it was never made, was destroyed, or the host lost it."""


class SandboxNotRunning(RuntimeFault):
    """The sandbox is known, but its init process has ended, so nothing can run in it."""


class SandboxStartFailed(RuntimeFault):
    """The host could not bring the sandbox up. Nothing of it is left behind."""


class SandboxStuck(RuntimeFault):
    """The host could not stop the sandbox or free what it holds. The same call may succeed later."""


class ImageNotFound(RuntimeFault):
    """The sandbox's image is not on this host."""


class CommandNotFound(RuntimeFault):
    """No command of this id was ever started in this sandbox."""


class CommandStartFailed(RuntimeFault):
    """The host could not start the command: the infrastructure's fault, not the command's."""


class FileNotFound(RuntimeFault):
    """The path names nothing inside the sandbox."""


class FileAccessDenied(RuntimeFault):
    """The sandbox's user may not read or write this path."""


class FileUnsuitable(RuntimeFault):
    """The path is a directory, a device, or otherwise not a file that can be read or written."""


class NoSpaceLeft(RuntimeFault):
    """The sandbox's disk is full."""


class HostDiskFull(RuntimeFault):
    """The disk of the host is full, or so nearly that nothing new may be begun. Nothing was done."""


class SnapshotFailed(RuntimeFault):
    """The host could not take the snapshot. Nothing of it is left behind."""


class GradingIsolationFailed(RuntimeFault):
    """The host could not make the sandbox fit to be judged."""


class SnapshotNotFound(RuntimeFault):
    """No snapshot of this id is on this host."""


class PortClosed(RuntimeFault):
    """Nothing listens on this port of the sandbox."""


class PortTaken(RuntimeFault):
    """This port of the sandbox cannot be listened on: something does already."""


class NotSupported(RuntimeFault):
    """This provider cannot do what was asked. The message says what, and which provider can."""
