"""What the server puts into a root file system, beside what is there."""

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from loopyard.runtime.crun.launcher.placing import BEGIN, END, put, with_own_lines

LINES = ["127.0.0.1 localhost devbox", "::1 localhost"]
OWN = f"{BEGIN}\n127.0.0.1 localhost devbox\n::1 localhost\n{END}\n"
ACCOUNT = {
    "name": "ann",
    "uid": os.getuid() + 7,
    "rows": {
        "etc/passwd": f"ann:x:{os.getuid() + 7}:5::/home/ann:/bin/sh",
        "etc/group": "ann:x:5:",
        "etc/shadow": "ann:*:::",
    },
    "folders": {"etc/sudoers.d": 0},
    "files": {"etc/sudoers.d/ann": ("ann ALL\n", 0o440)},
}


def place(**fields: Any) -> dict[str, Any]:
    files = {"etc/hostname": ("devbox\n", 0o644)}
    return {"needed": ["etc"], "folders": {}, "lines": {"etc/hosts": LINES}, "files": files, "account": None, **fields}


class Root:
    def __init__(self, folder: Path) -> None:
        self.etc = folder / "etc"
        self.top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)

    def put(self, *, kept: bool = False, **fields: Any) -> None:
        put(self.top, place(**fields), os.getuid(), kept=kept)

    def text(self, name: str) -> str:
        return (self.etc / name).read_text()


@pytest.fixture
def root(tmp_path: Path) -> Generator[Root]:
    (tmp_path / "etc").mkdir()
    root = Root(tmp_path)
    yield root
    os.close(root.top)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", OWN),
        ("10.0.0.1 db\n", f"{OWN}10.0.0.1 db\n"),
        (OWN, OWN),
        (f"{OWN}10.0.0.1 db", f"{OWN}10.0.0.1 db"),
        (f"# mine\n{OWN}10.0.0.1 db\n", f"# mine\n{OWN}10.0.0.1 db\n"),
        (OWN.replace("devbox", "devbox other"), OWN.replace("devbox", "devbox other")),
        (OWN.replace("devbox", "old"), OWN),
        (OWN.replace(END, f"10.0.0.1 db\n{END}").replace("devbox", "old"), f"{OWN}10.0.0.1 db\n"),
        (f"{OWN}{OWN}", f"{OWN}{OWN}"),
        (OWN.removesuffix(f"{END}\n") + "10.0.0.1 db\n", OWN.removesuffix(f"{END}\n") + "10.0.0.1 db\n"),
        ("127.0.0.1 localhost devbox\n::1 localhost\n10.0.0.1 db\n",) * 2,
        ("127.0.0.1 localhost\n", f"{OWN}127.0.0.1 localhost\n"),
    ],
)
def test_lines_of_others_stay_and_own_ones_are_made_anew(before: str, after: str) -> None:
    changed = with_own_lines(before.encode(), LINES).decode()
    assert changed == after
    assert with_own_lines(changed.encode(), LINES).decode() == after


def test_bytes_that_are_no_text_stay() -> None:
    assert with_own_lines(b"\xff\xfe\r\n# \xe9", LINES) == OWN.encode() + b"\xff\xfe\r\n# \xe9"


def test_a_file_that_is_there_keeps_inode_mode_and_links(root: Root) -> None:
    (root.etc / "real").write_text("10.0.0.1 db\n")
    (root.etc / "real").chmod(0o600)
    (root.etc / "hosts").symlink_to("real")
    inode = (root.etc / "real").stat().st_ino
    root.put(kept=True)
    assert (root.etc / "hosts").is_symlink()
    assert root.text("real") == f"{OWN}10.0.0.1 db\n"
    assert ((root.etc / "real").stat().st_ino, (root.etc / "real").stat().st_mode & 0o777) == (inode, 0o600)


def test_an_empty_file_that_a_build_left_can_be_read_by_all(root: Root) -> None:
    (root.etc / "hosts").touch(0o700)
    root.put()
    assert (root.text("hosts"), (root.etc / "hosts").stat().st_mode & 0o777) == (OWN, 0o644)


def test_a_link_of_an_image_that_leads_nowhere_is_replaced_and_one_of_a_users_is_not(root: Root) -> None:
    (root.etc / "hosts").symlink_to("/run/nothing")
    root.put(kept=True)
    assert (root.etc / "hosts").is_symlink()
    root.put(kept=False)
    assert root.text("hosts") == OWN


def test_a_link_out_of_the_root_leads_nowhere(root: Root, tmp_path: Path) -> None:
    outside = tmp_path / "etc2"
    outside.write_text("the host's\n")
    (root.etc / "hosts").symlink_to(f"../../../..{outside}")
    root.put(kept=True)
    assert outside.read_text() == "the host's\n"


@pytest.mark.parametrize("kind", ["folder", "fifo", "loop", "large"])
def test_what_is_no_ordinary_file_is_left_alone(root: Root, kind: str) -> None:
    path = root.etc / "hosts"
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "loop":
        path.symlink_to("hosts")
    else:
        path.touch()
        os.truncate(path, 1 << 40)
    before = os.lstat(path)
    root.put(kept=True)
    now = os.lstat(path)
    assert (now.st_ino, now.st_mode, now.st_size) == (before.st_ino, before.st_mode, before.st_size)
    assert root.text("hostname") == "devbox\n"


def test_a_folder_above_that_is_a_file_is_no_hindrance(root: Root) -> None:
    root.etc.rmdir()
    root.etc.write_text("no folder\n")
    root.put(kept=True, folders={"etc/deep/er": 0}, account=ACCOUNT)
    assert root.etc.read_text() == "no folder\n"


def test_a_name_of_the_host_that_somebody_wrote_stays(root: Root) -> None:
    (root.etc / "hostname").write_text("mine\n")
    root.put()
    assert root.text("hostname") == "mine\n"


def test_account_files_are_only_added_to(root: Root) -> None:
    (root.etc / "passwd").write_bytes(b"root:x:0:0:\xe9:/:/bin/sh\nother:x:5001:5001::/:/bin/sh")
    (root.etc / "group").write_text("root:x:0:ann\n")
    root.put(account=ACCOUNT)
    passwd = (root.etc / "passwd").read_bytes()
    assert passwd.startswith(b"root:x:0:0:\xe9:/:/bin/sh\nother:x:5001:5001::/:/bin/sh\nann:x:")
    assert root.text("group") == "root:x:0:ann\nann:x:5:\n"
    assert not (root.etc / "shadow").exists()
    assert root.text("sudoers.d/ann") == "ann ALL\n"


def test_what_was_done_to_a_user_since_stays(root: Root) -> None:
    root.put(account=ACCOUNT)
    (root.etc / "passwd").write_text(root.text("passwd").replace("/home/ann", "/data") + "other:x:5001:1::/:/bin/sh\n")
    (root.etc / "sudoers.d" / "ann").unlink()
    before = root.text("passwd")
    root.put(kept=True, account=ACCOUNT)
    assert root.text("passwd") == before
    assert not (root.etc / "sudoers.d" / "ann").exists()


def test_a_user_of_the_image_with_the_name_but_another_number_is_replaced_only_at_first(root: Root) -> None:
    (root.etc / "passwd").write_text("ann:x:4000:4000::/:/bin/sh\n")
    root.put(kept=True, account=ACCOUNT)
    assert root.text("passwd") == "ann:x:4000:4000::/:/bin/sh\n"
    root.put(kept=False, account=ACCOUNT)
    assert root.text("passwd") == f"{ACCOUNT['rows']['etc/passwd']}\n"  # type: ignore[index]
