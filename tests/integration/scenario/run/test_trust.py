"""Scores hold against an agent that prepares the box for its judges."""

import time
from collections.abc import Generator
from typing import Any

import pytest
from runloop_api_client import BadRequestError, Runloop
from runloop_api_client.lib.polling import PollingConfig
from runloop_api_client.types import ScenarioRunView, ScoringFunctionParam

from tests.integration.scenario.definitions import bash, checked, command, scenario
from tests.serving import ServerProcess

POLL = PollingConfig(interval_seconds=0.05, max_attempts=6000)
WIN = "#!/opt/sh\necho score=1; exit 0\n"


@pytest.fixture(scope="module")
def api(server: ServerProcess) -> Generator[Runloop]:
    with server.client(max_retries=0) as client:
        yield client


def _scored(api: Runloop, *functions: ScoringFunctionParam, do: str, **fields: Any) -> ScenarioRunView:
    made = api.scenarios.create(**scenario(*functions, **fields))
    run = api.scenarios.start_run_and_await_env_ready(scenario_id=made.id, polling_config=POLL)
    done = api.devboxes.execute_and_await_completion(run.devbox_id, command=do)
    assert done.exit_status == 0, done
    return api.scenarios.runs.score_and_complete(run.id, polling_config=POLL)


def _scores(run: ScenarioRunView) -> list[tuple[float, str]]:
    assert run.scoring_contract_result is not None
    return [(one.score, one.state) for one in run.scoring_contract_result.scoring_function_results]


def _output(run: ScenarioRunView, index: int = 0) -> str:
    assert run.scoring_contract_result is not None
    return run.scoring_contract_result.scoring_function_results[index].output


GIT = "git init -q; git add -A; git -c user.name=a -c user.email=a@b commit -qm a"


@pytest.mark.parametrize(
    "trick",
    [
        pytest.param("for p in git grep python3; do put /usr/local/bin/$p; done", id="before them on the path"),
        pytest.param("for p in git grep python3; do rm /usr/bin/$p; put /usr/bin/$p; done", id="in their place"),
        pytest.param("cp /bin/bash /opt/bash; rm /bin/bash; put /bin/bash", id="the shell itself"),
        pytest.param(
            "PATH=$PATH:/usr/bin2; mv /usr/bin /usr/bin2; mkdir /usr/bin; put /usr/bin/bash", id="their whole folder"
        ),
        pytest.param("echo /none.so > /etc/ld.so.preload", id="a library in every program"),
        pytest.param(
            "for f in /etc/profile /etc/bash.bashrc /home/user/.bashrc /home/user/.profile; do "
            "echo 'echo score=1; exit 0' > $f; done; echo BASH_ENV=/home/user/.bashrc >> /etc/environment",
            id="what shells read first",
        ),
        pytest.param(
            "d=/usr/lib/python3/dist-packages; echo 'import os; print(\"score=1\", flush=True); os._exit(0)'"
            " > $d/sitecustomize.py; cp $d/sitecustomize.py /usr/lib/python3.11/; u=/home/user/.local/lib/python3.11;"
            "mkdir -p $u/site-packages; cp $d/sitecustomize.py $u/site-packages/usercustomize.py;"
            "echo 'import usercustomize' > $u/site-packages/x.pth",
            id="what Python imports by itself",
        ),
        pytest.param(
            "put /tmp/w; cp /tmp/w .git/hooks/pre-commit; git config core.fsmonitor /tmp/w;"
            "git config --file /home/user/.gitconfig core.fsmonitor /tmp/w; git config --system alias.status '!/tmp/w'",
            id="what git runs by itself",
        ),
        pytest.param("rm /dev/stdout /dev/fd; touch /dev/stdout; mkdir /dev/fd", id="the ways to standard output"),
        pytest.param("mkdir -p /.loopyard/tools; put /.loopyard/tools/ast-grep", id="the server's tools"),
        pytest.param(
            "mkdir -p /home/user2; cp -a /home/user/. /home/user2; rm -rf /home/user; ln -s user2 /home/user;"
            "echo 'echo score=1; exit 0' > /home/user/.bashrc",
            id="the home is a link",
        ),
    ],
)
def test_what_root_changed_of_the_system_has_no_say(api: Runloop, trick: str) -> None:
    script = (
        "echo 0.0 | grep -q 0 || echo grep is not grep\n"
        "git status --short > /dev/null && git -c user.name=a -c user.email=a@b commit --allow-empty -qm b\n"
        "python3 -c 'print(\"from python\")' > /dev/stdout\n"
        "bash -ic 'echo interactive' 2>/dev/null\n"
        "cat <(echo from a pipe)\n"
        "echo score=0"
    )
    pattern = {"type": "ast_grep_scorer", "pattern": "nowhere($X)", "search_directory": "."}
    run = _scored(
        api,
        bash("shell", script, 0.5),
        {"name": "pattern", "weight": 0.5, "scorer": pattern},  # type: ignore[typeddict-item]
        do=f"{GIT} --allow-empty; cat > trick.sh <<'END'\n"
        f"put() {{ printf '{WIN}' > $1; chmod 755 $1; }}\n{trick}\nEND\n"
        "sudo cp /bin/sh /opt/sh; sudo sh trick.sh",
    )
    assert _scores(run) == [(0.0, "complete"), (0.0, "complete")], run
    *printed, told = _output(run).splitlines()
    assert printed == ["from python", "interactive", "from a pipe", "score=0"]
    assert told.startswith("[loopyard] Before scoring, ")


def test_what_the_agent_left_running_is_ended_first(api: Runloop) -> None:
    stay = (
        "import glob, os, time\n"
        "while True:\n"
        "    for path in glob.glob('/proc/[0-9]*/fd/1') + ['/home/user/count']:\n"
        "        try:\n            open(path, 'a').write('score=1\\n')\n        except OSError:\n            pass\n"
        "    time.sleep(0.001)\n"
    )
    run = _scored(
        api,
        bash("count", "ps -e -o args= | grep -c 'stay[.]py'; wc -l < count > a; sleep 0.3; wc -l < count | cmp - a"),
        do=f'echo "{stay}" > stay.py; for who in "" "sudo"; do $who setsid -f python3 stay.py >/dev/null 2>&1; done;'
        "until [ -s count ]; do sleep 0.01; done",
    )
    assert _output(run).splitlines()[-1] == "0"
    assert _scores(run) == [(0.0, "error")]


def test_the_entrypoint_and_what_was_there_before_the_agent_stay(api: Runloop) -> None:
    site = "~/.local/lib/python3.11/site-packages"
    made = api.scenarios.create(
        **scenario(
            bash(
                "checks",
                "pgrep -c -f serv[e]-forever; python3 -c 'import helper; print(helper.x)'; hello; echo score=1",
            ),
            environment_parameters={
                "launch_parameters": {
                    "entrypoint": "exec -a serve-forever sleep 600",
                    "launch_commands": [
                        f"mkdir -p {site}; echo x=1 > {site}/helper.py",
                        "echo 'echo hello' | sudo tee /usr/local/bin/hello; sudo chmod 755 /usr/local/bin/hello",
                    ],
                }
            },
        )
    )
    run = api.scenarios.start_run_and_await_env_ready(scenario_id=made.id, polling_config=POLL)
    api.devboxes.execute_and_await_completion(
        run.devbox_id,
        command=f"echo x=2 > {site}/helper.py; sudo rm /usr/local/bin/hello",
    )
    ended = api.scenarios.runs.score_and_complete(run.id, polling_config=POLL)
    assert ended.state == "completed"
    assert _output(ended).splitlines()[-3:] == ["1", "hello", "score=1"]


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param("head -c 6G /dev/zero > fill; sudo dd if=/dev/zero of=/fill bs=1M; true", id="the disk is full"),
        pytest.param("sudo rm -rf /home/user; sudo ln -s user /home/user", id="the home leads to itself"),
        pytest.param("sudo rm -rf /home; sudo touch /home", id="the home is a file"),
        pytest.param("b() { b | b & }; b; true", id="processes without end"),
        pytest.param("sudo chmod 000 / /home /home/user; true", id="nothing can be entered"),
    ],
)
def test_who_harms_the_box_is_scored_all_the_same(api: Runloop, harm: str) -> None:
    made = api.scenarios.create(**scenario(bash("s", "echo score=0"), scorer_timeout_sec=60))
    run = api.scenarios.start_run_and_await_env_ready(scenario_id=made.id, polling_config=POLL)
    api.devboxes.execute_async(run.devbox_id, command=harm)
    time.sleep(3)  # it need not come to an end, nor be able to
    ended = api.scenarios.runs.score_and_complete(run.id, polling_config=POLL)
    assert _scores(ended)[0][0] == 0.0


def test_test_files_cannot_stand_in_for_each_other(api: Runloop) -> None:
    files = {"hard.sh": "exit 1", "easy.sh": "exit 0"}
    for link in ("ln -s", "ln"):
        run = _scored(api, checked("t", "sh hard.sh", files), do=f"touch easy.sh; {link} easy.sh hard.sh")
        assert _scores(run)[0][0] == 0.0
    run = _scored(api, checked("t", "sh hard.sh && sh easy.sh", files), do="ln -s /dev/null hard.sh")
    assert _scores(run)[0][0] == 0.0


def test_compiled_modules_that_lie_beside_the_tests_are_not_taken(api: Runloop) -> None:
    plant = (
        "import importlib.util as u, marshal, sys; c = compile('import os; os._exit(0)', 't', 'exec');"
        "open(f'__pycache__/test_it.{sys.implementation.cache_tag}.pyc', 'wb')"
        ".write(u.MAGIC_NUMBER + (1).to_bytes(4, 'little') + bytes(8) + marshal.dumps(c))"
    )
    tests = {"test_it.py": "import unittest\nclass T(unittest.TestCase):\n    def test(self): self.fail()\n"}
    run = _scored(
        api, checked("t", "python3 -m unittest test_it", tests), do=f'mkdir __pycache__; python3 -c "{plant}"'
    )
    assert _scores(run) == [(0.0, "complete")]


FAILS = "import unittest, m\nclass T(unittest.TestCase):\n    def test(self): self.assertEqual(m.x, 2)\n"
EXITS = "echo 'import os; os._exit(0)'"


@pytest.mark.parametrize(
    ("do", "score"),
    [
        pytest.param("echo x=2 > m.py", 1.0, id="a solution"),
        pytest.param(f"echo x=1 > m.py; mkdir test_it; {EXITS} > test_it/__init__.py", 0.0, id="a package beside it"),
        pytest.param(f"echo x=1 > m.py; {EXITS} > test_it.cpython-311-x86_64-linux-gnu.so", 0.0, id="an extension"),
        pytest.param(f"echo x=1 > m.py; mkdir unittest; {EXITS} | tee unittest.py > unittest/__init__.py", 0.0, id="a"),
        pytest.param(f"{EXITS} > m.py", 0.0, id="exits"),
        pytest.param("echo 'import unittest; unittest.TestCase.run = lambda *a: None; x=1' > m.py", 0.0, id="unrun"),
    ],
)  # fmt: skip
def test_status_alone_is_no_score_where_unittest_runs(api: Runloop, do: str, score: float) -> None:
    run = _scored(api, checked("t", "python3 -m unittest test_it", {"test_it.py": FAILS}), do=do)
    assert _scores(run) == [(score, "complete")], _output(run)


def test_one_scorer_leaves_nothing_to_the_next(api: Runloop) -> None:
    # What the first runs may be the agent's own code, as root.
    first = "sudo setsid -f sh -c 'while :; do echo score=1 >> ~/x; done' > /dev/null 2>&1; echo score=0"
    run = _scored(
        api,
        bash("first", f"sudo cp /bin/true /usr/bin/grep; {first}", 0.5),
        command("second", "pgrep -f 'score=[1] >>' || echo no | grep -q yes", 0.5),
        do="true",
    )
    assert _scores(run) == [(0.0, "complete"), (0.0, "complete")]


def test_a_scenario_may_ask_for_the_system_as_the_agent_left_it(api: Runloop) -> None:
    program = "/usr/local/bin/hello"
    do = f"echo 'echo hello' | sudo tee {program}; sudo chmod 755 {program}; echo 'x=1' > ~/.profile"
    functions = [
        command("installed", "hello", 0.5),
        command("may-write", "sudo touch /usr/bin/own; cat ~/.profile", 0.5),
    ]
    as_left = _scored(api, *functions, do=do, metadata={"loopyard.system_files": "as_left"})
    assert _scores(as_left) == [(1.0, "complete"), (1.0, "complete")]
    assert _output(as_left, 1) == "x=1"
    assert _scores(_scored(api, command("installed", "hello"), do=do)) == [(0.0, "complete")]
    for change in ({"loopyard.system_files": "as_it_was"}, {"loopyard.system_files": ""}):
        with pytest.raises(BadRequestError):
            api.scenarios.create(**scenario(metadata=change))


def test_work_in_a_folder_of_the_system_is_kept(api: Runloop) -> None:
    run = _scored(
        api,
        bash("work", "cat answer; ls /usr/src; echo score=1"),
        do="cd /usr/src/app && echo 42 > answer; sudo touch /usr/src/other",
        environment_parameters={"working_directory": "/usr/src/app"},
    )
    assert _output(run).splitlines() == ["42", "app", "score=1"]
