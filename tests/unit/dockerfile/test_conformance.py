"""Cases of the conformance suite as far as the frontend alone decides them."""

import pytest

from loopyard.dockerfile import DockerfileError, Options, plan_dockerfile
from loopyard.dockerfile.oci import to_oci
from loopyard.dockerfile.plan import DEFAULT_PATH, ImageConfig, Platform
from tests.slow.blueprint.conformance.cases import Case, cases
from tests.unit.dockerfile.planning import expanded

ALL = cases()
CONFIGURED = [case for case in ALL if case.config]
REMOTE = {
    "ADDRESS": "files.example",
    "WEB": "http://files.example/files",
    "URL": "http://files.example",
    "GIT": "http://files.example/git",
    "COMMIT": "1" * 40,
    "SHORT": "1" * 10,
}
"""Stand for the host of `remote.py`: the frontend fetches nothing."""
REFUSED = [case for case in ALL if case.error is not None and "column" in case.error]


@pytest.mark.parametrize("case", ALL, ids=[case.id for case in ALL])
def test_a_case_is_read(case: Case) -> None:
    if case in REFUSED:
        with pytest.raises(DockerfileError):
            plan_dockerfile(case.text(REMOTE), Options(platform=Platform()))
        return
    expanded(case.text(REMOTE), build_args=case.args)


@pytest.mark.parametrize("case", CONFIGURED, ids=[case.id for case in CONFIGURED])
def test_a_configuration(case: Case) -> None:
    made = to_oci(expanded(case.text(REMOTE), ImageConfig(env=(("PATH", DEFAULT_PATH),))).config)
    assert {name: made.get(name, type(value)()) for name, value in case.config.items()} == case.config


@pytest.mark.parametrize("case", REFUSED, ids=[case.id for case in REFUSED])
def test_a_refusal(case: Case) -> None:
    with pytest.raises(DockerfileError) as raised:
        plan_dockerfile(case.text(REMOTE), Options(build_args=case.args, platform=Platform()))
    assert case.error is not None
    place = raised.value.place
    assert (place.line, place.column) == (case.error["line"], case.error["column"])
    assert case.error["says"] in raised.value.reason
