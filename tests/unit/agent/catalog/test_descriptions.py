"""The catalog of agents: what comes with Loopyard, and what an operator adds."""

import shlex
from pathlib import Path

import pytest

from loopyard.agent.catalog.loader import KINDS, CatalogFault, catalog, read
from loopyard.config import InvalidSettings, load
from loopyard.kit.host.patching import APPLY_PATCH

SHIPPED = {"oracle", "nop", "claude-code", "codex", "opencode", "gemini-cli", "mini-swe-agent"}
OWN = """
name = "own"
about = "An agent of one's own."
command = 'run "$(cat {problem})" ${HOME} {model} {arguments}'
model = "-m {model}"
default_model = "a/b"
needs_one_of = ["KEY"]

[install]
type = "pip"
pip.package_name = "own"

[arguments]
tries = "-n {value}"
"""


def test_a_command_holds_the_problem_the_model_and_the_arguments_quoted() -> None:
    command = catalog()["claude-code"].command("/tmp/it's", "anthropic/opus; rm -rf", {"max_turns": "3 4", "quiet": ""})
    words = shlex.split(command)
    assert words[words.index("--model") + 1] == "opus; rm -rf"
    assert words[words.index("--max-turns") + 1] == "3 4"
    assert words[-3:] == ["--quiet", "<", "/tmp/it's"]
    assert "--model" not in catalog()["claude-code"].command("/tmp/p")


def test_an_own_folder_adds_kinds_and_takes_the_place_of_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(OWN)
    (tmp_path / "nop.toml").write_text((KINDS / "nop.toml").read_text().replace('"true"', '"sleep 1"'))
    found = catalog(tmp_path)
    assert set(found) == SHIPPED | {"own"}
    assert found["nop"].command("/tmp/p") == "sleep 1"
    own = found["own"]
    assert own.command("/tmp/p", kwargs={"tries": "2"}) == 'run "$(cat /tmp/p)" ${HOME} -m a/b -n 2'
    assert own.missing(["KEY", "OTHER"]) is None
    assert own.missing(["OTHER"]) == "agent own needs one of the variables KEY"
    with pytest.raises(ValueError, match="cannot be the name"):
        own.command("/tmp/p", kwargs={"a b": "2"})
    with pytest.raises(ValueError, match="takes no model"):
        found["nop"].command("/tmp/p", "gpt")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('about = "An agent of one\'s own."', ""), "about: Field required"),
        (('type = "pip"', 'type = "npm"'), "install: Value error, type is npm"),
        (('pip.package_name = "own"', 'pip.package_name = "--own"'), "install.pip.package_name"),
        (('"-n {value}"', '"-n"'), "arguments.tries"),
        (('"-m {model}"', '"-m"'), "it needs the place {model}"),
        (('name = "own"', 'name = "other"'), "the file must be other.toml"),
        (('name = "own"', "name ="), "own.toml"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_key(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    file = tmp_path / "own.toml"
    file.write_text(OWN.replace(*change, 1))
    with pytest.raises(CatalogFault) as fault:
        read(file)
    assert str(fault.value).startswith(str(file))
    assert said in str(fault.value)
    with pytest.raises(InvalidSettings) as refused:
        load(agents={"catalog": tmp_path})
    assert str(refused.value).startswith("The setting agents.catalog (LOOPYARD_AGENTS__CATALOG)")
    assert said in str(refused.value)


def test_a_file_may_be_saved_with_a_mark_and_other_line_ends(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_bytes(b"\xef\xbb\xbf" + OWN.replace("\n", "\r\n").encode())
    kept = read(file)
    file.write_text(OWN)
    assert kept == read(file)


def test_the_oracle_applies_patches_below_the_top_of_a_work_tree() -> None:
    command = catalog()["oracle"].command("/tmp/x")
    assert command.startswith(APPLY_PATCH)
    assert "\n    apply_patch /tmp/x\n" in command
