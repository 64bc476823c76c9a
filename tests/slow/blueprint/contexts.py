"""Contexts of builds, made of names and contents."""

import io
import tarfile
from collections.abc import Mapping
from typing import Any

import httpx
from runloop_api_client import Runloop


def context(client: Runloop, files: Mapping[str, bytes]) -> Any:
    """Store the files as an object; returns what a request's `build_context` says of it."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    made = client.objects.create(name="context", content_type="tgz")
    httpx.put(made.upload_url or "", content=archive.getvalue()).raise_for_status()
    client.objects.complete(made.id)
    return {"type": "object", "object_id": made.id}
