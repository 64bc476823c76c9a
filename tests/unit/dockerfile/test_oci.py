"""Configuration of images, from and to OCI's form."""

from typing import Any

import pytest

from loopyard.dockerfile.oci import from_oci, to_oci
from loopyard.dockerfile.plan import ImageConfig
from tests.unit.dockerfile.planning import config

WHOLE = """
ENV A=1 B="x=y"
USER app:staff
WORKDIR /w
SHELL ["/bin/bash", "-c"]
ENTRYPOINT ["e"]
CMD ["c", "d"]
LABEL a=b c=""
VOLUME /v /w
EXPOSE 80 53/udp
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s --retries=2 CMD x
ONBUILD RUN y
"""


def test_there_and_back() -> None:
    made = config(WHOLE)
    assert from_oci(to_oci(made)) == made


def test_the_form() -> None:
    assert to_oci(config(WHOLE, ImageConfig())) == {
        "Env": ["A=1", "B=x=y"],
        "User": "app:staff",
        "WorkingDir": "/w",
        "Shell": ["/bin/bash", "-c"],
        "Entrypoint": ["e"],
        "Cmd": ["c", "d"],
        "Labels": {"a": "b", "c": ""},
        "Volumes": {"/v": {}, "/w": {}},
        "ExposedPorts": {"80/tcp": {}, "53/udp": {}},
        "StopSignal": "SIGINT",
        "Healthcheck": {"Test": ["CMD-SHELL", "x"], "Interval": 5_000_000_000, "Retries": 2},
        "OnBuild": ["RUN y"],
    }


@pytest.mark.parametrize(
    "hostile",
    [
        {},
        {"Env": None, "Labels": None, "Cmd": None, "Healthcheck": None},
        {"Env": "A=1", "User": 5, "Volumes": [], "Shell": {}, "OnBuild": 1, "Healthcheck": []},
        {"Env": [1, None, "A"], "Labels": {"a": 1}, "Healthcheck": {"Test": "x"}},
        {"Healthcheck": {"Test": [], "Interval": "5"}},
    ],
)
def test_what_has_another_type_is_left_out(hostile: dict[str, Any]) -> None:
    assert from_oci(hostile) == ImageConfig()


def test_an_empty_command_is_not_none() -> None:
    made = from_oci({"Entrypoint": [], "Cmd": []})
    assert (made.entrypoint, made.cmd) == ((), ())
    assert to_oci(ImageConfig(cmd=()))["Cmd"] == []
