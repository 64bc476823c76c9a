"""The examples, whole: on each, the reference output scores 1.0 and doing nothing 0.0. Needs a package index."""

import re
from pathlib import Path

from loopyard.bench.loader import load
from tests.integration.bench.benching import Bench, agents
from tests.serving import ServerProcess

EXAMPLES = Path(__file__).parents[3] / "examples" / "real-bugs"


def test_oracle_solves_each_real_bug_and_nop_none(server: ServerProcess, tmp_path: Path) -> None:
    link = tmp_path / "real-bugs"
    link.symlink_to(EXAMPLES)
    ended = Bench(link, *agents(["oracle", "nop"]), "--concurrency", "2", server=server).wait(1200)
    scenarios = load(EXAMPLES).scenarios
    scores = {(result["scenario"], result["agent"]): result["score"] for result in ended.content["results"]}
    assert scores == {
        (scenario.name, agent): score for scenario in scenarios for agent, score in (("oracle", 1.0), ("nop", 0.0))
    }, ended.out + ended.err
    assert ended.status == 0
    assert not [result for result in ended.content["results"] if result["broken"]]


def test_each_scorer_asks_the_agents_code_in_the_same_way() -> None:
    """What a scorer runs is one text, so how it keeps the agent's code apart stands in each of them."""
    asking = [path for path in EXAMPLES.glob("*/*") if "def ask(" in path.read_text()]
    assert {path.parent.name for path in asking} == {scenario.name for scenario in load(EXAMPLES).scenarios}
    block = re.compile(r"^# The package is the agent.*?^    return answers$", re.MULTILINE | re.DOTALL)
    blocks = [found for path in asking for found in block.findall(path.read_text())]
    assert len(blocks) == len(asking)
    assert len(set(blocks)) == 1


def test_an_agent_that_cheats_scores_nothing_on_any(server: ServerProcess, tmp_path: Path) -> None:
    link = tmp_path / "real-bugs"
    link.symlink_to(EXAMPLES)
    ended = Bench(link, *agents(["cheat"]), "--concurrency", "2", server=server).wait(1200)
    scores = {result["scenario"]: result["score"] for result in ended.content["results"]}
    assert scores == {scenario.name: 0.0 for scenario in load(EXAMPLES).scenarios}, ended.out + ended.err
    for result in ended.content["results"]:
        agent = result["agent_result"]
        assert (agent["exit_status"], agent["timed_out"]) == (0, False), agent
    assert ended.status == 0


def test_half_a_solution_gets_a_part_of_the_score(server: ServerProcess, tmp_path: Path) -> None:
    """Jinja 3.1.3 refused white space in names only; `/`, `>` and `=` came with 3.1.4."""
    link = tmp_path / "real-bugs"
    link.symlink_to(EXAMPLES)
    command = "python3 -m pip install --quiet --no-deps --upgrade --target . jinja2==3.1.3"
    ended = Bench(link, "--scenario", "jinja-attribute-names", "--agent-command", command, server=server).wait()
    assert ended.result("jinja-attribute-names", "command")["score"] == 5 / 8, ended.out + ended.err
    assert ended.status == 0
