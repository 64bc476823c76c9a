"""Sizes of boxes for what tasks ask for."""

import pytest

from loopyard.bench.importing.sizes import launch_size


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        ((None, None, None), None),
        ((1, 1024, None), (1, 1, None)),
        ((1, 2048, 10240), (1, 2, 10)),
        ((None, 16384, None), (1, 16, None)),
        ((3, None, None), (4, 8, None)),
        ((0.25, 100, 1), (0.5, 1, 2)),
    ],
)
def test_a_box_has_what_is_asked_for_and_no_ratio(
    asked: tuple[float | None, int | None, int | None], size: tuple[float, int, int | None] | None
) -> None:
    found = launch_size(*asked)
    if size is None:
        assert found == {}
    else:
        assert (found["custom_cpu_cores"], found["custom_gb_memory"], found.get("custom_disk_size")) == size
