"""Modes of `--chmod`, octal and symbolic."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mode:
    """Value of `--chmod`. `bits` is an octal mode; where it is None, `clauses` are symbolic ones: who (of `ugoa`, as
    written, may be empty), operator (`+`, `-`, `=`) and permissions (of `rwxXst`, or of `ugo`). `apply` computes."""

    bits: int | None = None
    clauses: tuple[tuple[str, str, str], ...] = ()

    def apply(self, mode: int, *, is_folder: bool) -> int:
        """Permission bits (12 of them) that a file with `mode` gets."""
        if self.bits is not None:
            return self.bits
        result = mode & 0o7777
        for who, operator, permissions in self.clauses:
            result = _changed(result, who, operator, permissions, is_folder)
        return result


_SHIFTS = {"u": 6, "g": 3, "o": 0}


def _changed(mode: int, who: str, operator: str, permissions: str, is_folder: bool) -> int:
    whose = "ugo" if who in ("", "a") or "a" in who else who
    bits = 0
    for one in whose:
        shift = _SHIFTS[one]
        for permission in permissions:
            if permission in _SHIFTS:
                bits |= ((mode >> _SHIFTS[permission]) & 7) << shift
            elif permission == "X":
                bits |= (1 if is_folder or mode & 0o111 else 0) << shift
            elif permission in "rwx":
                bits |= {"r": 4, "w": 2, "x": 1}[permission] << shift
            elif permission == "s":
                bits |= {"u": 0o4000, "g": 0o2000, "o": 0}[one]
            elif permission == "t":
                bits |= 0o1000
    if operator == "+":
        return mode | bits
    if operator == "-":
        return mode & ~bits
    mask = sum(7 << _SHIFTS[one] for one in whose)
    mask |= (0o4000 if "u" in whose else 0) | (0o2000 if "g" in whose else 0) | (0o1000 if whose == "ugo" else 0)
    return (mode & ~mask) | bits
