"""Makes scenarios of SWE-bench rows."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from loopyard.bench.importing.draft import Draft, Drafts, Plain
from loopyard.bench.importing.swebench.patch import read as read_patch
from loopyard.bench.importing.swebench.row import Row, read
from loopyard.bench.importing.swebench.script import KEEP, TestSetup, scorer
from loopyard.bench.loader import FolderFault
from loopyard.test_results.inside.readers import READERS

DEFAULT_IMAGE = "swebench/sweb.eval.x86_64.{instance}:latest"
"""Where SWE-bench publishes the environment of each of its tasks, with the repository in /testbed."""

BASE_IMAGE = "base"
DIRECTORY = "/testbed"
SCORER_SECONDS = 1800
_LIFE_SECONDS = 4 * 3600


@dataclass(frozen=True, slots=True)
class Options:
    """Where tasks run, and how.

    `image` is a template with `{instance}`, `{repo}` and `{version}`; "base" is the server's own base image; None takes
    what the row names, else SWE-bench's own. `clone` is the template of a URL to clone the repository from, where the
    image does not have it. `setup` is a Bash script that then makes the environment, in the repository's folder.
    `test_command` has `{tests}` where the tests go. `results` says where it tells their results, if neither pytest nor
    unittest reports them: a format, with `:` and a path if it writes a file.
    """

    image: str | None = None
    clone: str | None = None
    setup: str | None = None
    test_command: str | None = None
    results: str = "lines"


def drafts(path: Path, options: Options) -> Drafts:
    """A scenario for each sound row, and the faults of the others.

    Raises:
        FolderFault: The file cannot be read, or has no rows; or there are no such results.
    """
    if options.results.partition(":")[0] not in READERS:
        raise FolderFault([f"--results {options.results}: is none of {', '.join(READERS)}, with or without :FILE"])
    if options.results != "lines" and options.test_command is None:
        raise FolderFault([f"--results {options.results}: give the command that makes them as --test-command"])
    rows = read(path, any_names=options.results != "lines")
    return Drafts([draft(row, options) for row in rows.sound], rows.faults)


def draft(row: Row, options: Options) -> Draft:
    """The scenario that a row becomes."""
    image = options.image or row.image or DEFAULT_IMAGE
    on_base = image == BASE_IMAGE
    steps = _steps(row, options)
    launch: dict[str, Plain] = {
        "keep_alive_time_seconds": _LIFE_SECONDS,
        "user_parameters": {"uid": 0, "username": "root"},
    }
    if on_base:
        launch["launch_commands"] = steps
    environment: Mapping[str, Plain] = {"working_directory": DIRECTORY, "launch_parameters": launch}
    metadata = {"imported_from": "swebench", "repo": row.repo, "base_commit": row.base_commit}
    # What is judged is the repository, in the environment that was made for it: what an agent installs does not count.
    metadata["loopyard.system_files"] = "restored"
    if row.version is not None:
        metadata["version"] = str(row.version)
    return Draft(
        name=row.name,
        problem_statement=row.problem_statement,
        scorer_name="resolved",
        scorer_script=scorer(row, DIRECTORY, TestSetup(options.test_command, options.results)),
        scorer_timeout_sec=SCORER_SECONDS,
        reference_type="patch",
        reference=read_patch(row.patch).text if row.patch.strip() else None,
        dockerfile=None if on_base else _dockerfile(_filled(image, row), steps),
        environment=environment,
        metadata=metadata,
    )


def _steps(row: Row, options: Options) -> list[str]:
    """The commands that make the environment."""
    directory = shlex.quote(DIRECTORY)
    steps: list[str] = []
    if options.clone is not None:
        steps.append(f"git clone --quiet {shlex.quote(_filled(options.clone, row))} {directory}")
    if options.setup is not None:
        steps.append(f"mkdir -p {directory} && cd {directory} && bash -e -c {shlex.quote(options.setup)}")
    # What came after the base commit is not to be found in the repository.
    checkout = f"git checkout --quiet --detach {row.base_commit}"
    steps.append(f"cd {directory} && {checkout} && git remote | xargs -r -n1 git remote remove && {KEEP}")
    return steps


def _dockerfile(image: str, steps: list[str]) -> str:
    commands = [f"RUN {json.dumps(['/bin/bash', '-c', step])}" for step in steps]
    return "\n".join([f"FROM {image}", "USER root", *commands, f"WORKDIR {DIRECTORY}"]) + "\n"


def _filled(template: str, row: Row) -> str:
    instance = row.name.lower().replace("__", "_1776_") if template == DEFAULT_IMAGE else row.name
    return (
        template.replace("{instance}", instance)
        .replace("{repo}", row.repo)
        .replace("{version}", "" if row.version is None else str(row.version))
    )
