"""The conformance suite on our own builder, through the API."""

import json
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
from runloop_api_client import Runloop

from tests.serving import ServerProcess
from tests.slow.blueprint.building import build, complete, output, said
from tests.slow.blueprint.conformance.bases import base_archive
from tests.slow.blueprint.conformance.cases import Case, cases, checking, differences, packed
from tests.slow.blueprint.conformance.remote import remote_host
from tests.slow.blueprint.images import import_image

BUILT = [case for case in cases() if not case.config]
CONFIGURED = [case for case in cases() if case.config]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, images: Path) -> str:
    """The name of the image that the cases begin with."""
    archive = base_archive(tmp_path_factory.mktemp("conformance"))
    import_image(Path(sys.executable).with_name("loopyard"), archive, "base")
    return "base"


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Generator[dict[str, str]]:
    with remote_host(tmp_path_factory.mktemp("remote")) as filled:
        yield filled


@pytest.mark.parametrize("case", BUILT, ids=[case.id for case in BUILT])
def test_a_case(case: Case, base: str, builds: Runloop, request: pytest.FixtureRequest) -> None:
    filled: dict[str, str] = request.getfixturevalue("remote") if case.is_remote else {}
    context = {}
    if case.context:
        made = builds.objects.create(name="context", content_type="tgz")
        httpx.put(made.upload_url or "", content=packed(case)).raise_for_status()
        builds.objects.complete(made.id)
        context = {"build_context": {"type": "object", "object_id": made.id}}
    blueprint = build(builds, "conformance", dockerfile=checking(case, filled), build_args=case.args, **context)
    output = said(builds, blueprint.id)
    if case.limit is not None:
        assert blueprint.status == "failed"
        assert case.limit in output
        return
    if case.error is None:
        assert blueprint.status == "build_complete", output[-3_000:]
        assert differences(case, output) == []
        return
    assert blueprint.status == "failed"
    where = f"Dockerfile:{case.error['line']}:" + (f"{case.error['column']}:" if "column" in case.error else "")
    assert where in output, output[-3_000:]
    assert case.error["says"] in output, output[-3_000:]
    if "column" in case.error:
        # Nothing ran before the whole was read.
        assert "STEP" not in output


@pytest.mark.parametrize("case", CONFIGURED, ids=[case.id for case in CONFIGURED])
def test_the_configuration_of_a_case(case: Case, base: str, builds: Runloop, build_server: ServerProcess) -> None:
    if case.limit is not None:
        failed = build(builds, "conformance", dockerfile=case.text({}), build_args=case.args)
        assert failed.status == "failed"
        assert case.limit in said(builds, failed.id)
        return
    blueprint = complete(builds, "conformance", dockerfile=case.text({}), build_args=case.args)
    said_of_it = _configuration(build_server, blueprint.id)
    for name, value in case.config.items():
        assert (said_of_it.get(name) or type(value)()) == value, name


def _configuration(server: ServerProcess, blueprint_id: str) -> dict[str, Any]:
    """The OCI configuration that a build has written down for its image."""
    return json.loads((server.data_dir / "builds" / f"{blueprint_id}.json").read_text())["config"]


def test_an_image_built_on_another_has_its_configuration_and_fires_its_triggers(
    base: str, builds: Runloop, build_server: ServerProcess
) -> None:
    below = complete(
        builds,
        dockerfile="""FROM base
ENV A=1
LABEL below=yes both=below
EXPOSE 80
VOLUME /data
STOPSIGNAL SIGINT
SHELL ["/bin/sh", "-ec"]
HEALTHCHECK --retries=2 CMD true
WORKDIR /srv/x
USER app
ENTRYPOINT ["/bin/sh", "-c"]
CMD ["true"]
ONBUILD RUN id -u >/tmp/fired; pwd >>/tmp/fired
ONBUILD ENV FIRED=yes
""",
    )
    said_below = _configuration(build_server, below.id)
    assert said_below["OnBuild"] == ["RUN id -u >/tmp/fired; pwd >>/tmp/fired", "ENV FIRED=yes"]
    # What is built on it has its configuration; its triggers fire once.
    above = complete(builds, base_blueprint_id=below.id, system_setup_commands=["echo $A $FIRED >/tmp/above"])
    said_above = _configuration(build_server, above.id)
    same = ("Labels", "ExposedPorts", "Volumes", "StopSignal", "Shell", "Healthcheck", "WorkingDir", "Cmd")
    assert {name: said_above.get(name) for name in same} == {name: said_below.get(name) for name in same}
    assert [one for one in said_above["Env"] if not one.startswith("PATH=")] == ["A=1", "FIRED=yes"]
    assert "OnBuild" not in said_above
    printed = output(builds, "cat /tmp/fired /tmp/above; echo $A $FIRED; pwd; id -un", blueprint_id=above.id)
    assert printed == "1234\n/srv/x\n1 yes\n1 yes\n/srv/x\napp\n"
