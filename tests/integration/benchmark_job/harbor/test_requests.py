"""Requests for Harbor jobs that cannot be."""

import pytest
from runloop_api_client import BadRequestError, Runloop


@pytest.mark.semantic
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("agents: [", "spec.inline_yaml: not valid YAML"),
        ("agents: [{name: oracle}]\ntasks: [{path: a}]", "set LOOPYARD_JOBS__HARBOR__TASKS"),
        ("agents: [{name: x, env: {K: '${NO_SUCH}'}}]\ndatasets: [{name: d}]", "${NO_SUCH} asks for a secret"),
        ("agents: [{name: x, env: {K: '${HOME}'}}]\ndatasets: [{name: d}]", "${HOME} asks for a secret"),
    ],
)
def test_each_is_told_with_its_field(api: Runloop, text: str, told: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        api.benchmark_jobs.create(spec={"type": "harbor", "inline_yaml": text})
    assert told in caught.value.body["message"]  # type: ignore[index]
    assert caught.value.body["field"] == "spec.inline_yaml"  # type: ignore[index]
