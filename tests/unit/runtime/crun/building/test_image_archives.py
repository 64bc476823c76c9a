"""Archives of images are told from those of root file systems; layers are found, and put one over the other."""

import hashlib
import io
import json
import os
import stat
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from loopyard.runtime.crun.building.changes import options_of
from loopyard.runtime.crun.building.image_archives import BrokenArchive, find_image
from loopyard.runtime.crun.building.layering import Layer

_CONFIG = {"Env": ["A=b c"], "Cmd": ["run", "a b"], "WorkingDir": "/srv"}


def tar_of(files: Mapping[str, bytes | None], links: Mapping[str, str] | None = None) -> bytes:
    """A tar of files; None is a folder."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.uid, member.gid, member.mtime = os.getuid(), os.getgid(), 1_000_000_000
            if content is None:
                member.type, member.mode = tarfile.DIRTYPE, 0o750
                tar.addfile(member)
            else:
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.uid, member.gid = os.getuid(), os.getgid()
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    return out.getvalue()


def oci_archive(layers: Sequence[bytes], **more: Any) -> bytes:
    blobs: dict[str, bytes] = {}

    def keep(content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = content
        return {"digest": f"sha256:{digest}", "size": len(content)}

    config = keep(json.dumps({"config": _CONFIG}).encode())
    manifest = keep(json.dumps({"config": config, "layers": [keep(layer) for layer in layers]}).encode())
    index = {"manifests": [{**manifest, **more}, {**manifest, "platform": {"architecture": "strange"}}]}
    return tar_of({**blobs, "index.json": json.dumps(index).encode(), "oci-layout": b"{}"})


def contents(archive: Path) -> list[bytes]:
    image = find_image(archive)
    assert image is not None
    assert image.config == _CONFIG
    whole = archive.read_bytes()
    return [whole[start : start + size] for start, size in image.layers]


def test_layers_of_an_oci_archive(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(oci_archive([b"one", b"two"]))
    assert contents(tmp_path / "a.tar") == [b"one", b"two"]


def test_layers_of_dockers_archive_of_which_one_is_a_link(tmp_path: Path) -> None:
    one, two = "1" * 64, "2" * 64
    layers = [f"{one}/layer.tar", f"{two}/layer.tar"]
    manifest = [{"Config": "config.json", "RepoTags": ["a:b"], "Layers": layers}]
    files = {
        f"{one}/layer.tar": b"one",
        "config.json": json.dumps({"config": _CONFIG}).encode(),
        "manifest.json": json.dumps(manifest).encode(),
    }
    (tmp_path / "a.tar").write_bytes(tar_of(files, {layers[1]: f"../{layers[0]}"}))
    assert contents(tmp_path / "a.tar") == [b"one", b"one"]


def test_root_file_systems_are_none(tmp_path: Path) -> None:
    for number, content in enumerate(({"bin/sh": b"x"}, {"manifest.json": b"[]", "bin/sh": b""}, {"blobs/x": b""})):
        file = tmp_path / f"{number}.tar"
        file.write_bytes(tar_of(content))
        if number != 1:
            assert find_image(file) is None
    (tmp_path / "no.tar").write_bytes(b"no archive")
    assert find_image(tmp_path / "no.tar") is None


def test_archives_of_several_images_and_damaged_ones_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.tar"
    file.write_bytes(oci_archive([b"one"], platform={"architecture": "strange"}))
    with pytest.raises(BrokenArchive, match="0 images"):
        find_image(file)
    file.write_bytes(tar_of({"manifest.json": json.dumps([{"Config": "none", "Layers": []}]).encode()}))
    with pytest.raises(BrokenArchive, match="none is missing"):
        find_image(file)
    file.write_bytes(tar_of({"manifest.json": b"[3]"}))
    with pytest.raises(BrokenArchive, match="damaged"):
        find_image(file)


def test_what_the_archive_says_of_the_image_becomes_options() -> None:
    assert options_of(_CONFIG) == ["--env=A=b c", "--workingdir=/srv", "--cmd=run 'a b'"]


def put(content: bytes) -> None:
    layer = Layer()
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        for member in tar:
            layer.put(tar, member)
    layer.end()


def found() -> dict[str, str]:
    """All that is in the folder: the content of files, the targets of links."""
    every = sorted(path for path in Path().rglob("*") if path.is_symlink() or not path.is_dir())
    return {str(path): f"-> {path.readlink()}" if path.is_symlink() else path.read_text() for path in every}


def test_layers_are_put_one_over_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    put(tar_of({"a": b"1", "d": None, "d/x": b"1", "d/y": b"1", "e/f/g": b"1", "o/lower": b"1", "o/p/q": b"1"}))
    assert stat.S_IMODE(Path("d").stat().st_mode) == 0o750
    assert Path("d").stat().st_mtime == 1_000_000_000
    put(tar_of({"a": b"2", "d/.wh.x": b"", "e/.wh.f": b"", "o/upper": b"2", "o/.wh..wh..opq": b"", "new/z": b"2"}))
    assert found() == {"a": "2", "d/y": "1", "o/upper": "2", "new/z": "2"}
    assert Path("e").is_dir()


def test_kinds_take_each_others_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    put(tar_of({"folder/a": b"1", "file": b"1"}, {"link": "folder"}))
    put(tar_of({"folder": b"2", "file": None, "file/b": b"2", "link": None, "link/c": b"2"}))
    assert found() == {"folder": "2", "file/b": "2", "link/c": "2"}


def test_names_do_not_lead_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    put(tar_of({"../../out": b"1", "/abs": b"1", "d/../../e": b"1", "../.wh.in": b""}))
    assert found() == {"out": "1", "abs": "1", "d/e": "1"}
