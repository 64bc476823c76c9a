"""Where the host's programs are looked for."""

import os


def search_path() -> str:
    """PATH, with the folders of system programs that a user's own PATH may lack."""
    return os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"))
