"""Reads the manifest in the logs of a run on a server."""

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from runloop_api_client import AsyncRunloop


async def manifest_of(client: AsyncRunloop, run_id: str) -> dict[str, Any]:
    """The content of `manifest.json` in the run's logs.

    Raises:
        APIError: The server does not give the logs.
        OSError: The logs cannot be kept on this host's disk.
        ValueError, KeyError, BadZipFile: They are not such as Loopyard makes.
    """
    with tempfile.TemporaryDirectory(prefix="loopyard-logs-") as folder:
        path = Path(folder, "logs.zip")
        async with client.scenarios.runs.with_streaming_response.download_logs(run_id) as response:
            await response.stream_to_file(path)
        with zipfile.ZipFile(path) as logs:
            return json.loads(logs.read("manifest.json"))
