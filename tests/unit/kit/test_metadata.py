"""Entries by which rows are found by their metadata."""

from loopyard.kit.lists.metadata import entries, entry


def test_an_entry_stands_for_one_key_and_one_value() -> None:
    assert entry("key", "value") == entry("key", "value")
    assert entry("key", "value") != entry("keyv", "alue")
    assert entry("key", "value") != entry("value", "key")
    assert len(entry("k" * 100_000, "é" * 100_000)) == 32


def test_metadata_has_one_entry_for_each_pair() -> None:
    assert entries({"a": "1", "b": "1"}) == {entry("a", "1"), entry("b", "1")}
    assert entries({}) == set()
