"""The agent that cheats: its tricks work where nothing is done about them, and only there."""

from pathlib import Path

from tests.integration.bench.benching import Bench, agents
from tests.integration.bench.folders import TINY, write_scenario
from tests.serving import ServerProcess


def test_tricks_score_where_the_system_stays_as_the_agent_left_it_and_nowhere_else(
    server: ServerProcess, tmp_path: Path
) -> None:
    suite = tmp_path / "suite"
    trusting = '[metadata]\n"loopyard.system_files" = "as_left"\n\n[environment]'
    write_scenario(suite, TINY.format(name="guarded"), "guarded")
    write_scenario(suite, TINY.format(name="trusting").replace("[environment]", trusting), "trusting")
    ended = Bench(suite, *agents(["cheat"]), server=server).wait()
    scores = {result["scenario"]: result["score"] for result in ended.content["results"]}
    assert scores == {"guarded": 0.0, "trusting": 1.0}, ended.out + ended.err
    assert ended.status == 1
    assert "cheat scored 1, not 0.0" in ended.out
