"""Disks kept as they were at one moment."""

import asyncio

import pytest

from loopyard.runtime.protocol import Runtime
from tests.integration.runtime.box import Box, MakeBox

pytestmark = pytest.mark.anyio


_TREE = "sudo tar -C / {options} --sort=name -cf - home opt etc/marks srv var/lib/own | sha256sum"
"""One number for all of the tree: contents, owners, modes, times, links, and extended attributes if asked for."""

_WITH_XATTRS = (
    "--xattrs --xattrs-include='*' --format=posix --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime"
)
"""Without what is different each time by nature: tar's own process id, and when files were last looked at."""

_NUMBERED = "sudo mkdir -p /etc/marks /srv /opt /var/lib/own"


async def _tree(box: Box) -> str:
    options = _WITH_XATTRS if box.runtime.features.snapshot_xattrs else ""
    return (await box.sure(_TREE.format(options=options))).split()[0]


@pytest.mark.semantic
async def test_a_box_made_from_a_snapshot_has_its_disk(
    runtime: Runtime, make_box: MakeBox, new_snapshot: list[str]
) -> None:
    box = await make_box()
    await box.sure(
        "echo before > file; sudo rm -r /usr/share/zoneinfo /usr/bin/less; mkdir d; ln file d/hard; ln -s file soft"
    )
    new_snapshot.append("snap-1")
    await runtime.snapshot(box.id, "snap-1")
    await box.sure("echo after > file; touch new")
    copy = await make_box(snapshot="snap-1")
    assert await copy.sure(
        "cat file d/hard; readlink soft; stat -c %h file; ls; ls /usr/bin/less 2>/dev/null || echo gone"
    ) == ("before\nbefore\nfile\n2\nd\nfile\nsoft\ngone")
    assert await box.sure("cat file") == "after"
    await copy.sure("echo own > file")
    other = await make_box(snapshot="snap-1")
    assert await other.sure("cat file") == "before"


@pytest.mark.semantic
async def test_a_snapshot_outlives_its_box_and_its_boxes_outlive_it(
    runtime: Runtime, make_box: MakeBox, new_snapshot: list[str]
) -> None:
    box = await make_box()
    await box.sure("head -c 3000000 /dev/urandom > data; sha256sum data > sum")
    new_snapshot.append("snap-2")
    size = await runtime.snapshot(box.id, "snap-2")
    assert size is None or size >= 3_000_000
    await runtime.destroy(box.id)
    copy = await make_box(snapshot="snap-2")
    assert "snap-2" in await runtime.snapshots()
    await runtime.delete_snapshot("snap-2")
    assert "snap-2" not in await runtime.snapshots()
    assert await copy.sure("sha256sum -c sum") == "data: OK"
    await runtime.suspend(copy.id)
    await make_box(id=copy.id, snapshot="snap-2")
    assert await copy.sure("sha256sum -c sum") == "data: OK"
    await runtime.delete_snapshot("snap-2")


@pytest.mark.semantic
async def test_a_snapshot_id_that_was_used_is_taken_once(
    runtime: Runtime, make_box: MakeBox, new_snapshot: list[str]
) -> None:
    box = await make_box()
    await box.sure("echo first > file")
    new_snapshot.append("snap-3")
    await runtime.snapshot(box.id, "snap-3")
    await box.sure("echo second > file")
    await runtime.snapshot(box.id, "snap-3")
    assert await (await make_box(snapshot="snap-3")).sure("cat file") == "first"


@pytest.mark.semantic
async def test_a_suspended_box_can_be_kept(runtime: Runtime, make_box: MakeBox, new_snapshot: list[str]) -> None:
    box = await make_box()
    await box.sure("echo asleep > file")
    await runtime.suspend(box.id)
    new_snapshot.append("snap-4")
    await runtime.snapshot(box.id, "snap-4")
    assert await (await make_box(snapshot="snap-4")).sure("cat file") == "asleep"
    await make_box(id=box.id)
    assert await box.sure("cat file") == "asleep"


@pytest.mark.semantic
async def test_a_box_goes_on_while_it_is_kept(runtime: Runtime, make_box: MakeBox, new_snapshot: list[str]) -> None:
    box = await make_box()
    command_id = await box.start(
        "sh", "-c", "n=0; while :; do n=$((n+1)); echo $n > new; mv new count; echo $n; sleep 0.02; done"
    )
    await box.until_said(command_id, b"3\n")
    new_snapshot.append("snap-5")
    await runtime.snapshot(box.id, "snap-5")
    size = await runtime.output_size(box.id, command_id, "stdout")
    assert await runtime.wait_output(box.id, command_id, "stdout", size, 10)
    assert int(await box.sure("cat count || echo 1")) > 0


@pytest.mark.semantic
async def test_snapshots_of_several_boxes_at_once(runtime: Runtime, make_box: MakeBox, new_snapshot: list[str]) -> None:
    boxes = await asyncio.gather(*(make_box() for _ in range(4)))
    new_snapshot.extend(f"snap-at-once-{number}" for number in range(4))
    for number, box in enumerate(boxes):
        await box.sure(f"echo {number} > number")
    await asyncio.gather(*(runtime.snapshot(box.id, name) for box, name in zip(boxes, new_snapshot, strict=True)))
    copies = await asyncio.gather(*(make_box(snapshot=name) for name in new_snapshot))
    assert [await copy.sure("cat number") for copy in copies] == ["0", "1", "2", "3"]


@pytest.mark.semantic
async def test_users_of_a_snapshot_are_those_of_its_disk(
    runtime: Runtime, make_box: MakeBox, new_snapshot: list[str]
) -> None:
    box = await make_box()
    await box.sure("sudo useradd --create-home --uid 4444 --shell /bin/bash dora")
    new_snapshot.append("snap-6")
    await runtime.snapshot(box.id, "snap-6")
    copy = await make_box(snapshot="snap-6")
    assert await copy.sure("id -u dora; sudo -u dora sh -c 'cd; pwd'") == "4444\n/home/dora"


async def test_a_chain_of_twenty_snapshots_keeps_every_byte(
    runtime: Runtime, make_box: MakeBox, new_snapshot: list[str]
) -> None:
    xattrs = runtime.features.snapshot_xattrs
    steps = [
        "head -c 1000000 /dev/urandom > file-$n",
        "sudo sh -c 'echo $RANDOM$n >> /etc/marks/log'",
        "mkdir -p dir/$n/deep; echo $n | tee dir/$n/deep/a > dir/$n/b; ln dir/$n/b dir/$n/hard; ln -s ../b dir/$n/soft",
        "ln -f file-1 hard-$n 2>/dev/null || true",
        "rm -f file-$((n - 3)); rm -rf dir/$((n - 2))",
        "sudo rm -rf /opt/opaque; sudo mkdir /opt/opaque; sudo touch /opt/opaque/$n",
        "mv file-$((n - 1)) moved-$n 2>/dev/null || true",
        "[ $n -lt 5 ] || { rm -rf dir/3; mkdir dir/3; echo again > dir/3/only; }",
        "sudo mkfifo /srv/pipe-$n; sudo chown $n:$((n + 1)) /srv/pipe-$n; sudo chmod $((n % 7))750 /srv/pipe-$n",
        "truncate -s 1M sparse-$n; touch -d @$((1000000000 + n)) sparse-$n",
        "printf '\\0%s' $n > \"name with space ü $n\"",
    ]
    if xattrs:
        steps.append("python3 -c \"import os; os.setxattr('dir/$n/b', 'user.n', b'$n')\"")
    box = await make_box()
    await box.sure(_NUMBERED)
    expected = ""
    for number in range(1, 21):
        await box.sure("\n".join([f"n={number}", "set -e", *steps]))
        expected = await _tree(box)
        snapshot_id = f"chain-{number}"
        new_snapshot.append(snapshot_id)
        await runtime.snapshot(box.id, snapshot_id)
        await box.runtime.destroy(box.id)
        box = await make_box(snapshot=snapshot_id)
        assert await _tree(box) == expected, f"snapshot {number} differs"
    for snapshot_id in new_snapshot[:-1]:
        await runtime.delete_snapshot(snapshot_id)
    assert await _tree(box) == expected
    assert await _tree(await make_box(snapshot="chain-20")) == expected
