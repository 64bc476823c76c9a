"""Files over SSH: scp, sftp and rsync, by Debian's own clients."""

import hashlib
import os
from pathlib import Path

import pytest

from tests.integration.devbox.ssh.clients import Login, run


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of several kinds, in folders."""
    root = tmp_path_factory.mktemp("tree") / "tree"
    (root / "deep" / "deeper").mkdir(parents=True)
    (root / "small").write_text("small\n")
    (root / "with space and ü").write_text("named\n")
    (root / "deep" / "big").write_bytes(os.urandom(8 * 1024**2))
    (root / "deep" / "deeper" / "run.sh").write_text("#!/bin/sh\necho ran\n")
    (root / "deep" / "deeper" / "run.sh").chmod(0o755)
    return root


def digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("way", [[], ["-O"]], ids=["sftp", "legacy"])
def test_scp_copies_trees_there_and_back(login: Login, tree: Path, tmp_path: Path, way: list[str]) -> None:
    place = f"{login.user}@{login.host}:copied"
    scp = ["scp", *way, "-q", "-r", *login.options, "-P", login.port]
    login.run("rm -rf copied")
    there = run([*scp, str(tree), place])
    assert (there.returncode, there.stderr) == (0, b"")
    assert login.run("copied/deep/deeper/run.sh").stdout == b"ran\n"
    back = run([*scp, place, str(tmp_path / "back")])
    assert (back.returncode, back.stderr) == (0, b"")
    assert digests(tmp_path / "back") == digests(tree)


def test_sftp_works_through_a_batch(login: Login, tree: Path, tmp_path: Path) -> None:
    batch = tmp_path / "batch"
    batch.write_text(
        f"pwd\nmkdir sftp-folder\ncd sftp-folder\nput {tree}/deep/big big\nchmod 600 big\nrename big renamed\n"
        f"ln -s renamed link\nls -l\nget renamed {tmp_path}/got\nrm link\nrm renamed\ncd ..\nrmdir sftp-folder\n"
    )
    done = run(["sftp", "-q", "-b", str(batch), *login.options, "-P", login.port, f"{login.user}@{login.host}"])
    assert done.returncode == 0, done.stderr
    assert b"Remote working directory: /home/user" in done.stdout
    assert b"-rw-------" in done.stdout
    assert (tmp_path / "got").read_bytes() == (tree / "deep" / "big").read_bytes()
    assert login.run("ls sftp-folder").returncode != 0


def test_rsync_sends_what_changed_and_deletes_what_is_gone(login: Login, tree: Path, tmp_path: Path) -> None:
    shell = " ".join(["ssh", *login.options, "-p", login.port])
    place = f"{login.user}@{login.host}:synced/"
    rsync = ["rsync", "-a", "--delete", "--stats", "-e", shell]
    first = run([*rsync, f"{tree}/", place])
    assert first.returncode == 0, first.stderr
    again = run([*rsync, f"{tree}/", place])
    assert b"Number of regular files transferred: 0" in again.stdout
    login.run("echo more >> synced/small; touch synced/extra")
    assert run([*rsync, f"{tree}/", place]).returncode == 0
    assert login.run("ls synced; cat synced/small").stdout.decode() == "deep\nsmall\nwith space and ü\nsmall\n"
    back = run([*rsync, place, f"{tmp_path}/back/"])
    assert back.returncode == 0, back.stderr
    assert digests(tmp_path / "back") == digests(tree)


def test_a_large_file_goes_both_ways(login: Login, tmp_path: Path) -> None:
    data = os.urandom(1024**2) * 64
    (tmp_path / "large").write_bytes(data)
    place = f"{login.user}@{login.host}:large"
    scp = ["scp", "-q", *login.options, "-P", login.port]
    assert run([*scp, str(tmp_path / "large"), place], timeout=120).returncode == 0
    assert login.run("sha256sum large").stdout.split()[0].decode() == hashlib.sha256(data).hexdigest()
    assert run([*scp, place, str(tmp_path / "back")], timeout=120).returncode == 0
    assert (tmp_path / "back").read_bytes() == data
