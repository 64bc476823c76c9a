"""Conventions of Linux programs: exit statuses, variables, and errors of a full disk. Light: the launcher loads it."""

import errno

CANNOT_EXECUTE = 126
"""The exit status that shells give for what is there and cannot be executed."""

TIMED_OUT = 124
"""The exit status of timeout(1) where it ended its command."""

NOT_FOUND = 127
"""The exit status that shells give for what is not there."""

KILLED = 128 + 9
"""The exit status of what SIGKILL ended, as the kernel does when memory runs out."""

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""PATH in sandboxes and builds, where nothing says otherwise; Docker's own default."""

CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE")
"""Variables that name the file with certificate authorities for programs that have a list of their own."""

CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
"""Debian's file of certificate authorities, to which sandboxes' own are added."""

NO_SPACE_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Errors of the kernel where a disk, or the part of it that one may use, is full."""

NO_SPACE_MESSAGES = ("No space left on device", "Disk quota exceeded")
"""The texts of these errors, as the C library has them."""


def tells_no_space(output: str) -> bool:
    """True if a program's output says, in upper or lower case, that a disk is full."""
    folded = output.lower()
    return any(message.lower() in folded for message in NO_SPACE_MESSAGES)
