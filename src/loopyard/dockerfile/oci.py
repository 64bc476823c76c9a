"""Configuration of images, from and to the form that OCI images have."""

from collections.abc import Mapping
from typing import Any, cast

from loopyard.dockerfile.plan import HealthCheck, ImageConfig


def from_oci(config: Mapping[str, Any], author: str = "") -> ImageConfig:
    """The `config` of an image. It is hostile: what has another type than it should is left out."""
    health = config.get("Healthcheck")
    return ImageConfig(
        env=tuple((name, value) for name, sign, value in (one.partition("=") for one in _texts(config, "Env")) if sign),
        user=_text(config, "User"),
        workdir=_text(config, "WorkingDir"),
        shell=_texts(config, "Shell"),
        entrypoint=_texts(config, "Entrypoint") if config.get("Entrypoint") is not None else None,
        cmd=_texts(config, "Cmd") if config.get("Cmd") is not None else None,
        labels=tuple((name, value) for name, value in _mapping(config, "Labels").items() if isinstance(value, str)),
        volumes=tuple(_mapping(config, "Volumes")),
        exposed=tuple(_mapping(config, "ExposedPorts")),
        stop_signal=_text(config, "StopSignal"),
        health_check=_health(cast("Mapping[str, Any]", health)) if isinstance(health, Mapping) else None,
        on_build=_texts(config, "OnBuild"),
        author=author,
    )


def to_oci(config: ImageConfig) -> dict[str, Any]:
    """The `config` of an OCI image. What is not said is not there."""
    health = config.health_check
    made: dict[str, Any] = {
        "Env": [f"{name}={value}" for name, value in config.env],
        "User": config.user,
        "WorkingDir": config.workdir,
        "Shell": list(config.shell),
        "Labels": dict(config.labels),
        "Volumes": {volume: {} for volume in config.volumes},
        "ExposedPorts": {port: {} for port in config.exposed},
        "StopSignal": config.stop_signal,
        "OnBuild": list(config.on_build),
    }
    made = {name: value for name, value in made.items() if value}
    if config.entrypoint is not None:
        made["Entrypoint"] = list(config.entrypoint)
    if config.cmd is not None:
        made["Cmd"] = list(config.cmd)
    if health is not None:
        numbers = {
            "Interval": health.interval,
            "Timeout": health.timeout,
            "StartPeriod": health.start_period,
            "StartInterval": health.start_interval,
            "Retries": health.retries,
        }
        made["Healthcheck"] = {"Test": list(health.test), **{name: value for name, value in numbers.items() if value}}
    return made


def _text(config: Mapping[str, Any], name: str) -> str:
    value = config.get(name)
    return value if isinstance(value, str) else ""


def _texts(config: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = config.get(name)
    if not isinstance(value, list):
        return ()
    return tuple(one for one in cast("list[Any]", value) if isinstance(one, str))


def _mapping(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = config.get(name)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _health(config: Mapping[str, Any]) -> HealthCheck | None:
    test = _texts(config, "Test")
    if not test:
        return None

    def amount(name: str) -> int:
        value = config.get(name)
        return value if isinstance(value, int) and value > 0 else 0

    return HealthCheck(
        test, amount("Interval"), amount("Timeout"), amount("StartPeriod"), amount("StartInterval"), amount("Retries")
    )
