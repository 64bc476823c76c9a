"""The image that sandboxes start from when they name none."""

import pytest

from tests.integration.runtime.box import Box

pytestmark = pytest.mark.anyio

_FOLDERS = [
    "bin",
    "boot",
    "dev",
    "etc",
    "home",
    "lib",
    "lib32",
    "lib64",
    "libx32",
    "media",
    "mnt",
    "opt",
    "proc",
    "root",
    "run",
    "sbin",
    "srv",
    "sys",
    "tmp",
    "usr",
    "var",
]


async def test_nothing_of_the_place_where_it_was_made_is_in_it(box: Box) -> None:
    found = set((await box.sure("ls -A /")).split())
    assert {name for name in found - set(_FOLDERS) if not name.startswith(".")} == set()


async def test_its_python_is_compiled_where_python_looks_for_it(box: Box) -> None:
    """Else each program that root starts would write into the system's folders, and every start would be slow."""
    await box.sure("sudo touch /root/before; sudo python3 -c 'import setuptools, pip, venv, json, asyncio'")
    assert await box.sure("sudo find /usr -name '*.pyc' -newer /root/before") == ""
