"""A data folder may have any path that the host's file system takes."""

from pathlib import Path

import pytest

from tests.integration.devbox.waiting import POLL
from tests.integration.scenario.definitions import bash, scenario
from tests.serving import serving


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("/".join(["a-long-name-of-a-folder" * 4] * 3), id="long"),
        pytest.param("a:b,c d\\e=f%s", id="characters that options of mounts use"),
    ],
)
def test_a_run_is_scored(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir(parents=True)
    with serving(folder / "data", premade=False) as server, server.client() as client:
        definition = scenario(bash("kept", "test -e /usr/bin/git && grep -qx done ~/answer && echo score=1.0"))
        made = client.scenarios.create(**definition)
        run = client.scenarios.start_run_and_await_env_ready(scenario_id=made.id, polling_config=POLL)
        command = "echo done > ~/answer; sudo rm /usr/bin/git"
        client.devboxes.execute_and_await_completion(run.devbox_id, command=command)
        run = client.scenarios.runs.score_and_complete(run.id, polling_config=POLL)
        assert run.scoring_contract_result is not None, run
        assert run.scoring_contract_result.score == 1.0
