"""Files read and written from outside, with the rights of the sandbox's user."""

import asyncio
import hashlib
import resource
from collections.abc import AsyncIterator

import pytest

from loopyard.runtime.errors import FileAccessDenied, FileNotFound, FileUnsuitable
from tests.integration.runtime.box import ROOT, Box, chunks

pytestmark = pytest.mark.anyio


_BLOCK = bytes(range(256)) * 4096


@pytest.mark.semantic
@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("plain.txt", "/home/user/plain.txt"),
        ("~/tilde.txt", "/home/user/tilde.txt"),
        ("a folder/ünï cödé.txt", "/home/user/a folder/ünï cödé.txt"),
        ("/tmp/absolute/deep/er.txt", "/tmp/absolute/deep/er.txt"),
        ("-rf", "/home/user/-rf"),
        ("a/../up.txt", "/home/user/up.txt"),
        ("$HOME/`id`;'\"\n.txt", "/home/user/$HOME/`id`;'\"\n.txt"),
    ],
)
async def test_a_file_is_written_where_its_path_says(box: Box, path: str, inside: str) -> None:
    await box.sure("mkdir -p a")
    await box.write(path, b"content\x00\xff\n")
    assert (await box.run("cat", "--", inside)).stdout == b"content\x00\xff\n"
    assert await box.read(path) == b"content\x00\xff\n"
    assert (await box.run("stat", "-c", "%U:%G %a", "--", inside)).text == "user:user 644"


@pytest.mark.semantic
async def test_new_folders_belong_to_the_user(box: Box) -> None:
    await box.write("one/two/three", b"")
    assert await box.sure("stat -c '%U:%G %a' one one/two") == "user:user 755\nuser:user 755"


@pytest.mark.semantic
async def test_a_mode_can_be_given(box: Box) -> None:
    await box.write("tool", b"#!/bin/sh\necho works\n", mode=0o755)
    assert (await box.run("./tool")).text == "works"


@pytest.mark.semantic
async def test_a_file_that_is_written_again_keeps_its_mode(box: Box) -> None:
    await box.sure("echo old > kept; chmod 750 kept")
    await box.write("kept", b"new")
    assert await box.sure("stat -c %a kept; cat kept") == "750\nnew"


@pytest.mark.semantic
async def test_a_file_that_becomes_shorter_has_no_old_end(box: Box) -> None:
    await box.write("file", b"a long line")
    await box.write("file", b"short")
    assert await box.read("file") == b"short"


@pytest.mark.semantic
async def test_an_empty_file_is_a_file(box: Box) -> None:
    await box.runtime.write_file(box.id, "empty", chunks())
    assert await box.read("empty") == b""
    assert await box.sure("stat -c %s empty") == "0"


@pytest.mark.semantic
async def test_a_file_is_replaced_through_a_link(box: Box) -> None:
    await box.sure("echo old > target; ln -s target link")
    await box.write("link", b"new")
    assert await box.sure("cat target; readlink link") == "newtarget"
    assert await box.read("link") == b"new"


@pytest.mark.semantic
async def test_hard_links_stay_one_file(box: Box) -> None:
    await box.sure("echo old > one; ln one two")
    await box.write("one", b"new")
    assert await box.sure("cat two; stat -c %h one") == "new2"


@pytest.mark.semantic
async def test_a_missing_file_is_told(box: Box) -> None:
    for path in ("none", "/none/such", "~/none", "dangling"):
        await box.sure("ln -sfn /nowhere/at/all dangling")
        with pytest.raises(FileNotFound):
            await box.read(path)


@pytest.mark.semantic
async def test_what_the_user_may_not_touch_is_told(box: Box) -> None:
    with pytest.raises(FileAccessDenied):
        await box.read("/etc/shadow")
    with pytest.raises(FileAccessDenied):
        await box.write("/etc/passwd", b"nobody")
    with pytest.raises(FileAccessDenied):
        await box.write("/usr/new/file", b"nobody")
    with pytest.raises(FileAccessDenied):
        await box.read("/root/secret")
    assert "root:" in await box.sure("cat /etc/passwd")


@pytest.mark.semantic
async def test_root_may_touch_all_files_inside(box: Box) -> None:
    await box.write("/etc/new", b"of root", user=ROOT)
    assert await box.sure("stat -c %U /etc/new; cat /etc/new") == "root\nof root"
    assert b"root" in await box.read("/etc/shadow", user=ROOT)
    await box.write("relative", b"", user=ROOT)
    assert await box.sure("sudo ls /root") == "relative"


@pytest.mark.semantic
async def test_what_is_no_ordinary_file_is_told(box: Box) -> None:
    await box.sure("mkdir folder; mkfifo pipe; echo > file; ln -s folder to-folder")
    for path in ("folder", "/", "~", "pipe", "/dev/zero", "/dev/tty", "file/below", "to-folder", "folder/"):
        async with asyncio.timeout(60):
            with pytest.raises(FileUnsuitable):
                await box.read(path)
    for path in ("folder", "/", "pipe", "/dev/null", "file/below", "new/", "to-folder", ".."):
        async with asyncio.timeout(60):
            with pytest.raises(FileUnsuitable):
                await box.write(path, b"x")
    assert await box.sure("ls -d folder pipe; ls /dev/null") == "folder\npipe\n/dev/null"


async def test_a_socket_is_no_file(box: Box) -> None:
    await box.sure("python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"/tmp/socket\")'")
    with pytest.raises(FileUnsuitable):
        await box.read("/tmp/socket")


@pytest.mark.semantic
@pytest.mark.parametrize("path", ["a\0b", "x" * 300, "/" + "d/" * 3000])
async def test_a_path_that_cannot_be_is_told(box: Box, path: str) -> None:
    with pytest.raises((FileUnsuitable, FileNotFound)):
        await box.read(path)
    with pytest.raises(FileUnsuitable):
        await box.write(path, b"x")


@pytest.mark.semantic
async def test_links_in_a_circle_are_told(box: Box) -> None:
    await box.sure("ln -s b a; ln -s a b")
    with pytest.raises((FileAccessDenied, FileUnsuitable, FileNotFound)):
        await box.read("a")


@pytest.mark.semantic
async def test_a_link_leads_nowhere_but_inside(box: Box) -> None:
    await box.sure("ln -s /etc/hostname name; ln -s ../../../../../../etc/hostname up")
    assert await box.read("name") == b"devbox\n"
    assert await box.read("up") == b"devbox\n"


@pytest.mark.semantic
async def test_a_read_that_is_left_early_frees_what_it_held(box: Box) -> None:
    await box.sure("head -c 50M /dev/zero > big")
    for _ in range(5):
        reading = box.runtime.read_file(box.id, "big")
        assert len(await anext(reading)) > 0
        await reading.aclose()  # type: ignore[attr-defined]
    assert await box.sure("echo works") == "works"


@pytest.mark.semantic
async def test_a_write_that_is_cut_off_leaves_the_old_file(box: Box) -> None:
    async def cut_off() -> AsyncIterator[bytes]:
        yield b"new"
        raise ConnectionResetError

    await box.write("file", b"old")
    with pytest.raises(ConnectionResetError):
        await box.runtime.write_file(box.id, "file", cut_off())
    await asyncio.sleep(0.5)
    assert await box.read("file") == b"old"
    assert await box.sure("ls -A | grep -v '^\\.[bp]' ") == "file"


@pytest.mark.semantic
@pytest.mark.parametrize("old_blocks", [1, 60])
async def test_a_large_file_takes_the_place_of_an_old_one(box: Box, old_blocks: int) -> None:
    await box.sure("mkdir here")
    await box.runtime.write_file(box.id, "here/file", chunks(*[b"old" + _BLOCK] * old_blocks), mode=0o750)
    await box.runtime.write_file(box.id, "here/file", chunks(*[_BLOCK] * 40))
    assert (await box.sure("sha256sum here/file")).split()[0] == hashlib.sha256(_BLOCK * 40).hexdigest()
    assert await box.sure("stat -c '%U:%G %a' here/file; ls -A here") == "user:user 750\nfile"


async def test_a_file_that_its_user_may_not_write_stays_as_it_is(box: Box) -> None:
    await box.sure("echo old > closed && chmod 444 closed")
    with pytest.raises(FileAccessDenied):
        await box.write("closed", b"new")
    assert await box.sure("stat -c %a closed; cat closed") == "444\nold"
    await box.write("/home/user/closed", b"root's", user=ROOT)
    assert await box.sure("stat -c '%U %a' closed; cat closed") == "user 444\nroot's"


async def test_a_file_that_is_written_keeps_its_group_mode_and_attributes(box: Box) -> None:
    note = "import os; os.setxattr('kept', 'user.note', b'mine')"
    await box.sure(f'cd ~user; echo old > kept; python3 -c "{note}"; chown user:33 kept; chmod 640 kept', user=ROOT)
    read = "import os; print(os.listxattr('kept'), os.getxattr('kept', 'user.note'))"
    show = f'stat -c "%u:%g %a" kept; python3 -c "{read}"'
    before = await box.sure(show)
    for content, user in ((b"user's", None), (b"root's", ROOT)):
        await box.write("/home/user/kept", content, user=user)
        assert await box.sure(show) == before
        assert await box.read("/home/user/kept") == content


async def test_large_files_go_both_ways_in_constant_memory(box: Box) -> None:
    blocks = 400

    async def content() -> AsyncIterator[bytes]:
        for _ in range(blocks):
            yield _BLOCK

    expected = hashlib.sha256()
    for _ in range(blocks):
        expected.update(_BLOCK)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await box.runtime.write_file(box.id, "large", content())
    assert (await box.sure("sha256sum large")).split()[0] == expected.hexdigest()
    digest = hashlib.sha256()
    async for chunk in box.runtime.read_file(box.id, "large"):
        digest.update(chunk)
    assert digest.hexdigest() == expected.hexdigest()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100 << 10, f"{grown} KiB more than before"
