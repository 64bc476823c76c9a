"""Values that instructions and their flags take: durations, ports, signals, modes, sizes, owners, platforms."""

import re
import signal
from collections.abc import Iterator

from loopyard.dockerfile.plan import Mode, Platform

_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_DURATION_PART = re.compile(r"([0-9]{1,18})(?:\.([0-9]{0,18}))?(ns|us|µs|μs|ms|s|m|h)")
_MOST_NANOSECONDS = 2**63 - 1
_PORTS = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/(tcp|udp|sctp))?\Z", re.IGNORECASE)
_MOST_PORT = 65_535
_SYMBOLIC = re.compile(r"([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)\Z")
_CHANGE = re.compile(r"([-+=])([rwxXst]+|[ugo])?")
_MOST_MODE = 0o7777
_MOST_NUMBER = 2**31 - 1
_SIZE = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,9}))? ?([kmgtp]?)i?b?\Z", re.IGNORECASE)
_SIGNAL_NUMBER = re.compile(r"[0-9]{1,3}\Z")
_REAL_TIME = re.compile(r"RTM(IN|AX)([+-][0-9]{1,2})?\Z")
_MOST_SIGNAL = 64
_ARCHITECTURES = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "armhf": "arm",
    "armel": "arm",
    "i386": "386",
}


def duration(text: str) -> int:
    """Nanoseconds of a duration such as `1m30s`.

    Raises:
        ValueError: It is none.
    """
    total, at = 0, 0
    while at < len(text):
        part = _DURATION_PART.match(text, at)
        if part is None:
            break
        whole, fraction, unit = part.group(1), part.group(2) or "", _NANOSECONDS[part.group(3)]
        total += int(whole) * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)
        at = part.end()
    if text == "0":
        return 0
    if not text or at < len(text) or total > _MOST_NANOSECONDS:
        raise ValueError(f"{text[:40]!r} is no duration, as 30s or 1m30s")
    return total


def ports(text: str) -> Iterator[str]:
    """The ports that a part of EXPOSE names, such as `80/tcp`.

    Raises:
        ValueError: It names none.
    """
    match = _PORTS.match(text)
    first, last = (0, -1) if match is None else (int(match.group(1)), int(match.group(2) or match.group(1)))
    if match is None or not 0 <= first <= last <= _MOST_PORT:
        raise ValueError(f"{text[:40]!r} is no port, as 80, 53/udp or 7000-7010")
    protocol = (match.group(3) or "tcp").lower()
    return (f"{port}/{protocol}" for port in range(first, last + 1))


def stop_signal(text: str) -> str:
    """The signal, as written, if it is one.

    Raises:
        ValueError: It is none.
    """
    name = text.upper().removeprefix("SIG")
    if _SIGNAL_NUMBER.match(text):
        known = 1 <= int(text) <= _MOST_SIGNAL
    else:
        known = f"SIG{name}" in signal.Signals.__members__ or _REAL_TIME.match(name) is not None
    if not known:
        raise ValueError(f"{text[:40]!r} is no signal, as SIGTERM or 15")
    return text


def mode(text: str) -> Mode:
    """The value of `--chmod`.

    Raises:
        ValueError: It is neither octal nor symbolic.
    """
    if text and all(digit in "01234567" for digit in text) and len(text) <= 6:
        bits = int(text, 8)
        if bits <= _MOST_MODE:
            return Mode(bits=bits)
    clauses: list[tuple[str, str, str]] = []
    for part in text.split(",") if len(text) <= 200 else [""]:
        match = _SYMBOLIC.match(part)
        if match is None:
            raise ValueError(f"{text[:40]!r} is no mode, as 755, u+x or u=rwX,go=rX")
        clauses += [(match.group(1), one.group(1), one.group(2) or "") for one in _CHANGE.finditer(match.group(2))]
    return Mode(clauses=tuple(clauses))


def octal(text: str) -> int:
    """Mode of a mount.

    Raises:
        ValueError: It is no octal number, or too large.
    """
    if not text or len(text) > 6 or any(digit not in "01234567" for digit in text) or int(text, 8) > _MOST_MODE:
        raise ValueError(f"{text[:40]!r} is no octal mode, as 0755")
    return int(text, 8)


def number(text: str) -> int:
    """User or group by number.

    Raises:
        ValueError: It is no number, or too large.
    """
    if not text.isascii() or not text.isdigit() or len(text) > 10 or int(text) > _MOST_NUMBER:
        raise ValueError(f"{text[:40]!r} is no number from 0 to {_MOST_NUMBER}")
    return int(text)


def owner(text: str) -> str:
    """`user[:group]`, as written, if names and numbers may be such.

    Raises:
        ValueError: A number is too large, or there is nothing where a name should be.
    """
    user, colon, group = text.partition(":")
    for part in (user, group) if colon else (user,):
        if part.isascii() and part.isdigit():
            number(part)
        elif not part or "/" in part or ":" in part or "\n" in part or len(part) > 256:
            raise ValueError(f"{text[:60]!r} is no user, as app, 1000, app:staff or 1000:1000")
    return text


def size(text: str) -> int:
    """Bytes of a size such as `64m`.

    Raises:
        ValueError: It is none.
    """
    match = _SIZE.match(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is no size, as 64m or 1g")
    scale = 1 << 10 * ("kmgtp".index(match.group(3).lower()) + 1 if match.group(3) else 0)
    fraction = match.group(2) or ""
    return int(match.group(1)) * scale + (int(fraction) * scale // 10 ** len(fraction) if fraction else 0)


def truth(text: str) -> bool:
    """Boolean of a mount's option.

    Raises:
        ValueError: It is none.
    """
    if text.lower() in ("1", "t", "true"):
        return True
    if text.lower() in ("0", "f", "false"):
        return False
    raise ValueError(f"{text[:40]!r} is neither true nor false")


def platform(text: str, own: str = "amd64") -> Platform:
    """Platform by name, such as `linux/arm64/v8`, `linux/x86_64` or `arm64`. `own` is the processor if none is named.

    Raises:
        ValueError: It is none.
    """
    parts = text.lower().split("/")
    if len(parts) == 1:
        parts = [parts[0], own] if parts[0] in ("linux", "windows") else ["linux", parts[0]]
    if not 2 <= len(parts) <= 3 or not all(re.fullmatch(r"[a-z0-9_.-]{1,40}", part) for part in parts):
        raise ValueError(f"{text[:60]!r} is no platform, as linux/amd64")
    architecture = _ARCHITECTURES.get(parts[1], parts[1])
    variant = parts[2] if len(parts) > 2 else ""
    if (architecture, variant) in (("arm64", "v8"), ("amd64", "v1")):
        variant = ""
    return Platform(parts[0], architecture, variant)
