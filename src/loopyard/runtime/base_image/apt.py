"""The host's own package sources, so that the base image comes from where the host's packages do."""

import re
from pathlib import Path

from loopyard.runtime.errors import RuntimeUnavailable

_ETC = Path("/etc/apt")


def release() -> dict[str, str]:
    """Read /etc/os-release."""
    lines = Path("/etc/os-release").read_text().splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {name: value.strip().strip('"') for name, _, value in pairs}


def codename() -> str:
    """The release's name, such as `bookworm`.

    Raises:
        RuntimeUnavailable: The host is neither Debian nor a child of it.
    """
    name = release().get("VERSION_CODENAME") or release().get("UBUNTU_CODENAME")
    if not name:
        raise RuntimeUnavailable(
            "This host is not Debian or Ubuntu, so no base image can be made from its packages. "
            "Make one elsewhere, and put its folder where the setting runtime.images says."
        )
    return name


def own_sources(folder: Path) -> list[str]:
    """The sources of the host's release, third parties' left out: files, copied to `folder` where need be.

    Raises:
        RuntimeUnavailable: The host has none.
    """
    found: list[Path] = []
    for file in [_ETC / "sources.list", *sorted((_ETC / "sources.list.d").glob("*"))]:
        if not file.is_file():
            continue
        text = file.read_text(errors="replace")
        if file.suffix == ".sources":
            kept = "\n\n".join(part for part in re.split(r"\n\s*\n", text) if _is_own_paragraph(part))
        elif file.suffix == ".list":
            kept = "\n".join(line for line in text.splitlines() if _is_own_line(line))
        else:
            continue
        if kept.strip():
            copy = folder / file.name
            copy.write_text(kept + "\n")
            found.append(copy)
    if not found:
        raise RuntimeUnavailable(f"The host has no package source for {codename()} in /etc/apt/sources.list.d.")
    return [str(file) for file in found]


def _is_own_paragraph(text: str) -> bool:
    fields = {
        name.strip().lower(): value.split()
        for name, _, value in (line.partition(":") for line in text.splitlines() if not line.startswith("#"))
    }
    if fields.get("enabled", ["yes"])[0].lower() in ("no", "false"):
        return False
    return "deb" in fields.get("types", []) and _is_own(fields.get("suites", []), fields.get("components", []))


def _is_own_line(line: str) -> bool:
    words = re.sub(r"\[[^]]*\]", "", line).split()
    return len(words) > 3 and words[0] == "deb" and _is_own(words[2:3], words[3:])


def _is_own(suites: list[str], components: list[str]) -> bool:
    name = codename()
    return (
        "main" in components and bool(suites) and all(suite == name or suite.startswith(f"{name}-") for suite in suites)
    )
