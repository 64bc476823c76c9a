"""What rows keep of an image."""

import pytest

from loopyard.launch.image import ImageNotes
from loopyard.runtime.images import ImageSettings
from loopyard.runtime.protocol import User


@pytest.mark.parametrize(
    "settings",
    [
        ImageSettings(),
        ImageSettings(working_directory="/srv/app"),
        ImageSettings(User("app", 5), ("run", "it"), runs=True, working_directory="/"),
    ],
)
def test_notes_are_read_as_they_were_stored(settings: ImageSettings) -> None:
    notes = ImageNotes.of(settings)
    assert ImageNotes.read(notes.stored) == notes
    assert notes.working_directory == settings.working_directory


def test_rows_of_earlier_versions_are_read() -> None:
    assert ImageNotes.read({"user": None, "entrypoint": ["x"]}) == ImageNotes(None, ("x",))
    assert ImageNotes.of(ImageSettings()).stored is None


def test_the_group_that_an_image_says_is_its_users_only() -> None:
    notes = ImageNotes.read(ImageNotes.of(ImageSettings(User("app", 600, 701))).stored)
    assert notes.with_group(User("app", 600)) == User("app", 600, 701)
    assert notes.with_group(User("other", 600)) == User("other", 600)
    assert ImageNotes.of(ImageSettings(User("app", 600))).with_group(User("app", 600)) == User("app", 600)
