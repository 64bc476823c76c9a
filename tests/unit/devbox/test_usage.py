"""How use is counted."""

from loopyard.devbox.models import Devbox
from loopyard.devbox.usage.totals import usage


def _devbox(*steps: tuple[str, int], end: int | None = None) -> Devbox:
    transitions = [{"status": status, "transition_time_ms": time_ms} for status, time_ms in steps]
    launch = {"resource_size_request": "X_SMALL"}
    return Devbox(
        id="dbx_1",
        status=steps[-1][0],
        create_time_ms=steps[0][1],
        end_time_ms=end,
        state_transitions=transitions,
        launch_parameters=launch,
    )


def test_a_running_devbox_is_counted_until_now() -> None:
    used = usage(_devbox(("queued", 0), ("provisioning", 1000), ("running", 2000)), 11_999)
    assert (used.total_elapsed_seconds, used.total_active_seconds) == (11, 10)
    assert (used.vcpu_seconds, used.memory_gb_seconds, used.disk_gb_seconds) == (5, 10, 44)
    assert used.end_time_ms is None


def test_time_asleep_is_not_active() -> None:
    devbox = _devbox(
        ("provisioning", 0),
        ("running", 1000),
        ("suspending", 5000),
        ("suspended", 6000),
        ("resuming", 100_000),
        ("running", 101_000),
        ("shutdown", 103_500),
        end=103_500,
    )
    for now in (103_500, 999_999_999):
        used = usage(devbox, now)
        assert (used.total_elapsed_seconds, used.total_active_seconds) == (103, 9)
        assert used.end_time_ms == 103_500


def test_a_clock_that_steps_back_counts_nothing() -> None:
    used = usage(_devbox(("provisioning", 5000), ("running", 6000)), 1000)
    assert (used.total_elapsed_seconds, used.total_active_seconds) == (0, 0)
