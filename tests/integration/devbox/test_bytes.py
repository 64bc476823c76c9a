"""What goes in comes out to the byte, through each way in."""

import uuid
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runloop_api_client import Runloop

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
ODD = st.sampled_from(["a", "\n", "\r\n", "\r", "\u2028", "\x85", "\ufeff", "\x1b", "é", "漢", "🦆"])
TEXTS = st.text(CHARACTERS, max_size=200) | st.lists(ODD, max_size=30).map("".join)
NAMES = (
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1, max_size=30)
    .map(lambda name: f"x{name}")
    .filter(lambda name: len(name.encode()) <= 120)
)

pytestmark = [
    pytest.mark.semantic,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
few = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@few
@given(name=NAMES, text=TEXTS)
def test_files_and_their_names(module_client: Runloop, devbox_id: str, tmp_path: Path, name: str, text: str) -> None:
    path = f"/home/user/{uuid.uuid4().hex}/{name}"
    module_client.devboxes.write_file_contents(devbox_id, file_path=path, contents=text)
    assert module_client.devboxes.read_file_contents(devbox_id, file_path=path) == text
    (tmp_path / "file").write_bytes(text.encode() + b"\xff\0")
    module_client.devboxes.upload_file(devbox_id, path=path, file=tmp_path / "file")
    assert module_client.devboxes.download_file(devbox_id, path=path).read() == text.encode() + b"\xff\0"


@few
@given(texts=st.lists(TEXTS.filter(bool), min_size=3, max_size=3))
def test_statements_and_scripts_of_scenarios(module_client: Runloop, texts: list[str]) -> None:
    statement, script, reference = texts
    made = module_client.scenarios.create(
        name=uuid.uuid4().hex,
        input_context={"problem_statement": statement},
        scoring_contract={
            "scoring_function_parameters": [
                {"name": "s", "weight": 1.0, "scorer": {"type": "bash_script_scorer", "bash_script": script}}
            ]
        },
        reference_output=reference,
    )
    held = module_client.scenarios.retrieve(made.id)
    assert held.input_context.problem_statement == statement
    assert held.reference_output == reference
    scorer = held.scoring_contract.scoring_function_parameters[0].scorer
    assert scorer.type == "bash_script_scorer"
    assert scorer.bash_script == script


def test_file_mounts(module_client: Runloop) -> None:
    texts = ["\ufeffone\r\ntwo\n", "\u2028\x85", "no end", "\n\n", "漢🦆\r"]
    devbox = module_client.devboxes.create_and_await_running(
        file_mounts={f"mounts/{number}": text for number, text in enumerate(texts)}
    )
    for number, text in enumerate(texts):
        assert module_client.devboxes.download_file(devbox.id, path=f"mounts/{number}").read() == text.encode()
    module_client.devboxes.shutdown(devbox.id)
