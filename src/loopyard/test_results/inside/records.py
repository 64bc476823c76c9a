"""Records that a reporter sends to the judge: one line of JSON each, numbered, with a code that needs the key."""

import hashlib
import hmac
import json
import os
from typing import Any, Dict, Optional

KEY_BYTES = 32
LONGEST_LINE = 1 << 20

_new, _encode, _sha256 = hmac.new, json.JSONEncoder().encode, hashlib.sha256


def address(folder: str) -> str:
    """The judge's socket, in Linux's abstract namespace. `folder` is the reporter's, whose name nobody can guess."""
    return "\0loopyard-" + _sha256(os.path.realpath(folder).encode("utf-8", "surrogateescape")).hexdigest()


def sealed(key: bytes, number: int, record: Dict[str, Any]) -> bytes:
    """A record as a line, its code at the end. `number` counts the records of one connection from 1."""
    content = _encode(record).encode("ascii")
    return content + b" " + _code(key, number, content) + b"\n"


def unsealed(key: bytes, number: int, line: bytes) -> Optional[Dict[str, Any]]:
    """The record of a line without its end; None if its code, or its place among the others, is wrong.

    Raises:
        ValueError: It is not JSON.
    """
    content, _, code = line.rpartition(b" ")
    if not hmac.compare_digest(code, _code(key, number, content)):
        return None
    record: Any = json.loads(content.decode("ascii"))
    return record


def _code(key: bytes, number: int, content: bytes) -> bytes:
    return _new(key, b"%d " % number + content, _sha256).hexdigest().encode("ascii")
