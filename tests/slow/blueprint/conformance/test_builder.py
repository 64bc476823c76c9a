"""The conformance suite on our own builder, through the API."""

import sys
from pathlib import Path

import httpx
import pytest
from runloop_api_client import Runloop

from tests.slow.blueprint.building import build, said
from tests.slow.blueprint.conformance.bases import base_archive
from tests.slow.blueprint.conformance.cases import Case, cases, checking, differences, packed
from tests.slow.blueprint.images import import_image

BUILT = [case for case in cases() if not case.config]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, images: Path) -> str:
    """The name of the image that the cases begin with."""
    archive = base_archive(tmp_path_factory.mktemp("conformance"))
    import_image(Path(sys.executable).with_name("loopyard"), archive, "base")
    return "base"


@pytest.mark.parametrize("case", BUILT, ids=[case.id for case in BUILT])
def test_a_case(case: Case, base: str, builds: Runloop) -> None:
    context = {}
    if case.context:
        made = builds.objects.create(name="context", content_type="tgz")
        httpx.put(made.upload_url or "", content=packed(case)).raise_for_status()
        builds.objects.complete(made.id)
        context = {"build_context": {"type": "object", "object_id": made.id}}
    blueprint = build(builds, "conformance", dockerfile=checking(case), build_args=case.args, **context)
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
