"""The engine's images that only a build's own login has got are known as such, until somebody gets them without."""

from pathlib import Path

from loopyard.runtime.docker.building.bases import WithLogin


def test_an_image_is_open_once_it_was_got_without_a_login(tmp_path: Path) -> None:
    known = WithLogin(tmp_path / "known.json")
    for image in ("one", "two"):
        known.note(image, with_login=True)
    known.note("one", with_login=True)
    known.note("two", with_login=False)
    known.note("three", with_login=False)
    again = WithLogin(tmp_path / "known.json")
    assert [again.has(image) for image in ("one", "two", "three")] == [True, False, False]
