"""A server that cannot start says why, and what to do, in words and not by a traceback."""

import os
import socket
import sys
import tempfile
from pathlib import Path

import pytest

from tests.integration.server.starting import refused
from tests.serving import ServerProcess


def test_a_second_server_on_the_same_data_folder(server: ServerProcess) -> None:
    ended = refused("--data-dir", str(server.data_dir))
    assert ended.status == 1
    assert f"Another server uses the data folder {server.data_dir}" in ended.err
    assert server.client().devboxes.list(limit=1) is not None


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = refused("--data-dir", str(tmp_path), "--port", str(port))
    assert ended.status == 1
    assert f"Cannot listen on 127.0.0.1:{port}: Address already in use. Choose another by --port." in ended.err


def test_an_address_that_is_not_this_machines(tmp_path: Path) -> None:
    ended = refused("--data-dir", str(tmp_path), "--host", "192.0.2.1")
    assert ended.status == 1
    assert "Cannot listen on 192.0.2.1:0" in ended.err


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://someone:hush@127.0.0.1:1/none", "someone:***@127.0.0.1:1/none cannot be used"),
        ("sqlite:////nonexistent/folder/x.db", "unable to open database file"),
        ("mysql://someone:hush@127.0.0.1/none", "LOOPYARD_DATABASE_URL"),
        ("hush", "LOOPYARD_DATABASE_URL"),
    ],
)
def test_a_database_that_cannot_be_used(tmp_path: Path, url: str, reason: str) -> None:
    ended = refused("--data-dir", str(tmp_path), "--database-url", url)
    assert ended.status == 1
    assert reason in ended.err
    assert "hush" not in ended.err


def test_a_database_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "loopyard.db").write_bytes(b"no database" * 1000)
    ended = refused("--data-dir", str(tmp_path))
    assert ended.status == 1
    assert "file is not a database" in ended.err


def test_a_data_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = refused("--data-dir", str(tmp_path / "file"))
    assert ended.status == 1
    assert "Name another by --data-dir" in ended.err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOOPYARD_RUNTIME__SPARE_SLOTS", "several"),
        ("LOOPYARD_RUNTIME__NETWORK", "everywhere"),
        ("LOOPYARD_API_KEY", "two words"),
    ],
)
def test_settings_that_cannot_be(tmp_path: Path, name: str, value: str) -> None:
    ended = refused("--data-dir", str(tmp_path), env={name: value})
    assert ended.status == 1
    assert name in ended.err
    assert value not in ended.err


@pytest.mark.parametrize("option", [("--log-level", "loud"), ("--port", "70000"), ("--port", "http")])
def test_options_that_cannot_be(tmp_path: Path, option: tuple[str, str]) -> None:
    ended = refused("--data-dir", str(tmp_path), *option)
    assert ended.status == 2
    assert option[0] in ended.err


def test_missing_programs_are_told_with_their_packages(tmp_path: Path) -> None:
    hidden = "; ".join(f"mount --bind /dev/null $(command -v {name})" for name in ("crun", "nft"))
    ended = refused(
        "--data-dir", str(tmp_path), through=("unshare", "--mount", "sh", "-c", f'{hidden}; exec "$@"', "sh")
    )
    assert ended.status == 1
    assert "these programs are missing: crun, nft. apt-get install crun nftables" in ended.err
    assert "docker" in ended.err


def test_missing_rights_are_told() -> None:
    # What is loaded before the rights are dropped needs not be readable afterwards.
    drop = (
        "import os, aiosqlite, encodings.idna, typer.rich_utils, loopyard.server, loopyard.runtime.crun.provider;"
        "from loopyard.cli import app;"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534);"
        "app()"
    )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        ended = refused("--data-dir", f"{folder}/data", program=(sys.executable, "-c", drop))
    assert ended.status == 1
    assert "it must run as root" in ended.err
    assert "use sudo" in ended.err


def test_a_refusal_leaves_no_process_behind(tmp_path: Path) -> None:
    ended = refused("--data-dir", str(tmp_path), env={"LOOPYARD_RUNTIME__IMAGES": "/dev/null/images"})
    assert ended.status == 1
    assert "/dev/null/images, cannot be used" in ended.err
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        if entry.parent.name != str(os.getpid()):
            try:
                assert str(tmp_path).encode() not in entry.read_bytes()
            except OSError:
                continue
