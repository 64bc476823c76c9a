"""Texts as files have them: every byte is kept, but for what a format itself passes over."""

from pathlib import Path

_BYTE_ORDER_MARK = "\ufeff"


class NotText(Exception):
    """A file is not UTF-8. `line` counts from 1 and has the first byte that is wrong."""

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line} is not UTF-8 text; save the file as UTF-8")
        self.line = line


def read_exact(path: Path) -> str:
    """A file's text, with its line ends and its byte order mark as they are.

    Raises:
        NotText: It is not UTF-8.
        OSError: It cannot be read.
    """
    content = path.read_bytes()
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise NotText(content.count(b"\n", 0, error.start) + 1) from error


def without_mark(text: str) -> str:
    """The text without a byte order mark at its beginning, for formats in which that means nothing, such as TOML and
    patches."""
    return text.removeprefix(_BYTE_ORDER_MARK)


def as_script(text: str) -> str:
    """The text of a script or Dockerfile so that a Linux program reads it as it was meant: see `script_bytes`."""
    return script_bytes(text.encode()).decode()


def script_bytes(content: bytes) -> bytes:
    """A script without a byte order mark, and with `\\n` for the line ends of a file that was saved with `\\r\\n`
    throughout. Line ends that are mixed are kept: there a carriage return is content."""
    content = content.removeprefix(_BYTE_ORDER_MARK.encode())
    ends = content.count(b"\n")
    return content.replace(b"\r\n", b"\n") if ends and ends == content.count(b"\r\n") else content
