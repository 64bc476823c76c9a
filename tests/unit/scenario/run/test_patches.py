"""On the fake runtime: what runs changed in their working directories, and hosts that cannot tell."""

from runloop_api_client import Runloop

from loopyard.runtime.errors import GradingIsolationFailed
from tests.integration.scenario.definitions import scenario
from tests.integration.scenario.run.test_patches import *  # noqa: F403
from tests.integration.scenario.run.test_patches import POLL, told_of
from tests.unit.in_process.server import InProcessServer


def test_a_run_is_scored_though_its_changes_cannot_betold_of(own_server: InProcessServer, own: Runloop) -> None:
    made = own.scenarios.create(**scenario())
    run = own.scenarios.start_run_and_await_env_ready(scenario_id=made.id, polling_config=POLL)
    own_server.host.refusals["folder_changes"] = [GradingIsolationFailed("no disk") for _ in range(2)]
    ended = own.scenarios.runs.score_and_complete(run.id, polling_config=POLL)
    assert (ended.state, told_of(own, run.id)) == ("completed", (None, None))
