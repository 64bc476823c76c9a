"""Changes the kernel's rules from inside this process, by libnftables: starting `nft` would cost five times as much.

The library comes with the program: Debian's nftables depends on it.
"""

import asyncio
import ctypes
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from loopyard.runtime.errors import RuntimeFault, RuntimeUnavailable

_LIBRARY = "libnftables.so.1"
_JSON_OUTPUT = 1 << 4


class RulesRefused(RuntimeFault):
    """The kernel or the library did not take a change of rules; nothing of it was done."""


class Nft:
    """Connection to nftables: one transaction after the other, in a thread of its own."""

    def __init__(self) -> None:
        """Load the library.

        Raises:
            RuntimeUnavailable: It is not here.
        """
        try:
            library = ctypes.CDLL(_LIBRARY)
        except OSError as error:
            raise RuntimeUnavailable(f"{_LIBRARY} is missing. apt-get install nftables") from error
        library.nft_ctx_new.restype = ctypes.c_void_p
        library.nft_ctx_new.argtypes = [ctypes.c_uint32]
        for name in ("nft_ctx_buffer_output", "nft_ctx_buffer_error", "nft_ctx_free"):
            getattr(library, name).argtypes = [ctypes.c_void_p]
        library.nft_ctx_free.restype = None
        library.nft_ctx_output_set_flags.argtypes = [ctypes.c_void_p, ctypes.c_uint]
        library.nft_ctx_output_set_flags.restype = None
        library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
            getattr(library, name).argtypes = [ctypes.c_void_p]
            getattr(library, name).restype = ctypes.c_char_p
        self._library = library
        self._context = ctypes.c_void_p(library.nft_ctx_new(0))
        library.nft_ctx_buffer_output(self._context)
        library.nft_ctx_buffer_error(self._context)
        library.nft_ctx_output_set_flags(self._context, _JSON_OUTPUT)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="nft")

    async def run(self, commands: str) -> None:
        """Carry out commands in nft's own language, all or none.

        Raises:
            RulesRefused: The message is the library's.
        """
        await asyncio.get_running_loop().run_in_executor(self._thread, self._run, commands)

    async def list(self, what: str) -> list[dict[str, Any]]:
        """Return the objects that `nft --json list …` would print.

        Raises:
            RulesRefused: There is no such thing.
        """
        printed = await asyncio.get_running_loop().run_in_executor(self._thread, self._run, f"list {what}")
        document = cast("dict[str, list[dict[str, Any]]]", json.loads(printed or '{"nftables": []}'))
        return document["nftables"]

    def close(self) -> None:
        self._thread.shutdown()
        self._library.nft_ctx_free(self._context)

    def _run(self, commands: str) -> bytes:
        failed: int = self._library.nft_run_cmd_from_buffer(self._context, commands.encode())
        output: bytes = self._library.nft_ctx_get_output_buffer(self._context) or b""
        errors: bytes = self._library.nft_ctx_get_error_buffer(self._context) or b""
        if failed:
            raise RulesRefused(f"nftables: {errors.decode(errors='replace').strip()}")
        return output
