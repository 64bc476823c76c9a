"""Sizes, users and life times, as the client's documentation rules them."""

from typing import Any

import pytest
from pydantic import ValidationError

from loopyard.launch.parameters import GIB, LaunchParameters
from loopyard.runtime.protocol import User


@pytest.mark.parametrize(
    ("size", "cpu", "memory", "disk"),
    [
        ("X_SMALL", 0.5, 1, 4),
        ("SMALL", 1, 2, 4),
        ("MEDIUM", 2, 4, 8),
        ("LARGE", 2, 8, 16),
        ("X_LARGE", 4, 16, 16),
        ("XX_LARGE", 8, 32, 16),
    ],
)
def test_sizes(size: str, cpu: float, memory: int, disk: int) -> None:
    limits = LaunchParameters.model_validate({"resource_size_request": size}).limits
    assert (limits.cpu_cores, limits.memory_bytes, limits.disk_bytes) == (cpu, memory * GIB, disk * GIB)


def test_a_custom_size() -> None:
    given = {"resource_size_request": "CUSTOM_SIZE", "custom_cpu_cores": 4, "custom_gb_memory": 16}
    limits = LaunchParameters.model_validate({**given, "custom_disk_size": 32}).limits
    assert (limits.cpu_cores, limits.memory_bytes, limits.disk_bytes) == (4, 16 * GIB, 32 * GIB)


@pytest.mark.parametrize(("cores", "memory"), [(1, 1), (0.5, 64), (16, 1), (1, 10)])
def test_cores_and_memory_are_independent(cores: float, memory: int) -> None:
    given = {"resource_size_request": "CUSTOM_SIZE", "custom_cpu_cores": cores, "custom_gb_memory": memory}
    limits = LaunchParameters.model_validate(given).limits
    assert (limits.cpu_cores, limits.memory_bytes) == (cores, memory * GIB)


@pytest.mark.parametrize(
    "given",
    [
        {"custom_cpu_cores": 2, "custom_gb_memory": 8},
        {"resource_size_request": "CUSTOM_SIZE"},
        {"resource_size_request": "CUSTOM_SIZE", "custom_cpu_cores": 3, "custom_gb_memory": 12},
        {"resource_size_request": "CUSTOM_SIZE", "custom_cpu_cores": 18, "custom_gb_memory": 64},
        {"resource_size_request": "CUSTOM_SIZE", "custom_cpu_cores": 2, "custom_gb_memory": 5},
        {"resource_size_request": "CUSTOM_SIZE", "custom_cpu_cores": 2, "custom_gb_memory": 8, "custom_disk_size": 3},
        {"resource_size_request": "HUGE"},
        {"keep_alive_time_seconds": 172_801},
        {"keep_alive_time_seconds": 0},
        {"user_parameters": {"uid": 0, "username": "user"}},
        {"user_parameters": {"uid": 1000, "username": "root"}},
        {"user_parameters": {"uid": 1000, "username": "a b"}},
        {
            "after_idle": {"idle_time_seconds": 5, "on_idle": "shutdown"},
            "lifecycle": {"after_idle": {"idle_time_seconds": 6, "on_idle": "shutdown"}},
        },
    ],
)
def test_what_breaks_a_rule_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LaunchParameters.model_validate(given)


def test_an_idle_policy_takes_the_place_of_keep_alive() -> None:
    idle = {"idle_time_seconds": 5, "on_idle": "shutdown"}
    both = LaunchParameters.model_validate({"after_idle": idle, "keep_alive_time_seconds": 9})
    assert both.keep_alive_seconds is None
    assert both.idle_policy is not None
    assert LaunchParameters().keep_alive_seconds == 3600


def test_users() -> None:
    assert LaunchParameters().user == User("user", 1000)
    root = LaunchParameters.model_validate({"user_parameters": {"uid": 0, "username": "root"}}).user
    assert (root.uid, root.home) == (0, "/root")
