"""Content as the asynchronous chunks that files are written from."""

from collections.abc import AsyncIterator


async def one_chunk(content: bytes | str) -> AsyncIterator[bytes]:
    """The content as a single chunk; text in UTF-8."""
    yield content.encode() if isinstance(content, str) else content
