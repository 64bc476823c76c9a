"""Tokens and cost of real calls through the gateway on the pages of a run and of its devbox."""

from loopyard.console.figures import count, money
from tests.console import Console
from tests.integration.model_usage.conftest import StartRun
from tests.model_answers import ANSWERS
from tests.serving import ServerProcess

NAMES = ("chat", "messages-stream", "gemini")


def test_tokens_and_cost_are_on_the_pages_of_a_run_and_its_devbox(start_run: StartRun, server: ServerProcess) -> None:
    run = start_run()
    with Console(server.base_url) as console:
        console.log_in(server.api_key)
        assert "nothing is known of tokens and cost" in console.page(f"/runs/{run.id}")
        for name in NAMES:
            assert run.call(name, "-o /dev/null").endswith("200")
        usage = run.until(lambda usage: usage["counted"] == len(NAMES))
        assert usage["cost_usd"] > 0
        page, devbox = console.page(f"/runs/{run.id}"), console.page(f"/devboxes/{run.devbox_id}")
        for told in (usage["input_tokens"], usage["output_tokens"]):
            assert told > 0
            assert f'<div class="big">{count(told)}</div>' in page
        assert f'<div class="big">{money(usage["cost_usd"])}</div>' in page
        for html in (page, devbox):
            for one in usage["models"]:
                assert one["model"] in html
                row = next(line for line in html.splitlines() if f"<td>{one['model']}</td>" in line)
                for cell in (count(one["input_tokens"]), count(one["output_tokens"]), money(one["cost_usd"])):
                    assert f'<td class="number">{cell}</td>' in row
        assert {one["model"] for one in usage["models"]} == {ANSWERS[name].model for name in NAMES}
    run.client.scenarios.runs.cancel(run.id)
