"""Scenario folders for tests."""

from pathlib import Path

TINY = """
name = "{name}"
problem_statement = "Write the word hello to the file out.txt."

[environment]
working_directory = "/home/user"

[[scoring_functions]]
name = "said-it"
weight = 1.0
scorer = {{ type = "bash_script_scorer", bash_script = "grep -qx hello out.txt && echo score=1.0 || echo score=0.0" }}

[reference_output]
type = "script"
contents = "echo hello > out.txt"
"""


def write_scenario(suite: Path, text: str, folder: str = "one", **files: str) -> Path:
    """Write one scenario's folder into a suite's; double underscores in the names of files stand for dots."""
    path = suite / folder
    path.mkdir(parents=True, exist_ok=True)
    (path / "scenario.toml").write_text(text)
    for name, content in files.items():
        (path / name.replace("__", ".")).write_text(content)
    return path


def write_tiny(suite: Path, name: str = "say-hello", **changes: str) -> Path:
    """Write a small sound scenario; `changes` replaces pieces of its text, named `replace_1`, `by_1` and so on."""
    text = TINY.format(name=name)
    for key, old in changes.items():
        if key.startswith("replace"):
            assert old in text
            text = text.replace(old, changes[key.replace("replace", "by")])
    return write_scenario(suite, text, name)
