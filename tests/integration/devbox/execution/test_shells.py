"""Named shells through the official client."""

import time
from collections.abc import Callable

import pytest
from runloop_api_client import BadRequestError, Runloop
from runloop_api_client.types import DevboxAsyncExecutionDetailView

Shell = Callable[[str], DevboxAsyncExecutionDetailView]


@pytest.fixture
def shell(module_client: Runloop, devbox_id: str, request: pytest.FixtureRequest) -> Shell:
    """Runs commands in a shell of the test's own."""

    def run(command: str) -> DevboxAsyncExecutionDetailView:
        return module_client.devboxes.execute_and_await_completion(
            devbox_id, command=command, shell_name=request.node.name
        )

    return run


def test_directory_variables_functions_and_options_are_kept(shell: Shell) -> None:
    first = shell("cd /usr/lib; export A='x y'; B=2; f() { echo \"f $1 $B\"; }; set -o pipefail; shopt -s nullglob")
    assert (first.exit_status, first.stdout, first.stderr) == (0, "", "")
    second = shell('pwd; printenv A; f 1; shopt -po pipefail; shopt nullglob; false | true; echo "$?"')
    assert second.stdout == "/usr/lib\nx y\nf 1 2\nset -o pipefail\nnullglob       \ton\n1\n"
    assert second.stderr == ""


def test_what_is_odd_is_kept_too(shell: Shell) -> None:
    shell(r"""
export MULTI=$'one\ntwo "three" $(four) \'five\'' EMPTY=
arr=(1 "2 3" ''); declare -A map=([k ey]="v al"); declare -i number=7; readonly fixed=1
heredoc() { cat <<END
said $1
END
}
unset LANG; umask 077; alias ll='ls -l'; set -- p 'q r'; ulimit -S -n 99; pushd /tmp >/dev/null
trap 'echo usr1' USR1
""")
    result = shell(r"""
printf '[%s]' "$MULTI" "$EMPTY" "${arr[@]}" "${map[k ey]}" "${LANG-unset}" "$(umask)" "$@"
printf '[%s]' "$(ulimit -n)" "$PWD" "$OLDPWD"
number+=1; echo "$number"; heredoc hi; alias; dirs; kill -USR1 $$; fixed=2
""")
    assert result.stdout == (
        "[one\ntwo \"three\" $(four) 'five'][][1][2 3][][v al][unset][0077][p][q r][99][/tmp][/home/user]"
        "8\nsaid hi\nalias ll='ls -l'\n/tmp ~\nusr1\n"
    )
    assert "fixed: readonly variable" in (result.stderr or "")


def test_the_last_exit_status_is_kept(shell: Shell) -> None:
    assert shell("(exit 7)").exit_status == 7
    assert shell("echo $?").stdout == "7\n"


def test_messages_have_the_line_numbers_of_the_command(shell: Shell) -> None:
    shell("true")
    assert shell("true\nnot-there").stderr == "bash: line 2: not-there: command not found\n"


def test_set_e_ends_the_command_and_not_the_shell(shell: Shell) -> None:
    shell("set -e; KEPT=1")
    ended = shell("cd /tmp; false; echo not reached")
    assert (ended.exit_status, ended.stdout) == (1, "")
    after = shell('echo "$KEPT $PWD $-"; set +e')
    assert (after.stdout or "").startswith("1 /tmp ")
    assert "e" in (after.stdout or "").split()[2]
    assert after.stderr == ""


def test_set_u_and_faults_of_syntax_do_not_end_the_shell(shell: Shell) -> None:
    shell("set -u; KEPT=1")
    assert shell("echo $NOWHERE").exit_status != 0
    assert shell('echo "open').exit_status == 2
    after = shell("echo $KEPT")
    assert (after.stdout, after.stderr) == ("1\n", "")


def test_set_x_traces_the_command_alone(shell: Shell) -> None:
    shell("set -x")
    traced = shell("echo hi")
    assert (traced.stdout, traced.stderr) == ("hi\n", "++ echo hi\n")


@pytest.mark.parametrize(
    ("death", "status", "fate"),
    [
        ("exit 3", 3, "was ended by exit"),
        ("kill -9 $$", 137, "died during the command before"),
        ("exec sh -c 'exit 4'", 4, "died during the command before"),
    ],
)
def test_a_shell_that_dies_is_made_anew_and_says_so(shell: Shell, death: str, status: int, fate: str) -> None:
    shell("cd /tmp; A=1; f() { :; }")
    assert shell(death).exit_status == status
    fresh = shell('pwd; echo "[$A]"; type f')
    assert (fresh.stdout, fresh.exit_status) == ("/home/user\n[]\n", 1)
    assert fate in (fresh.stderr or "")
    assert "this is a new one" in (fresh.stderr or "")
    assert shell("A=2; pwd").stderr == "", "it said so twice"
    assert shell("echo $A").stdout == "2\n"


def test_exit_in_a_subshell_or_a_function_of_one_ends_only_that(shell: Shell) -> None:
    shell("A=1")
    result = shell("(exit 5); echo $?; f() { exit 6; }; (f); echo $?; echo | exit 7")
    assert (result.stdout, result.exit_status) == ("5\n6\n", 7)
    assert shell("echo $A").stdout == "1\n"


def test_a_directory_that_is_gone_is_told(shell: Shell) -> None:
    shell("mkdir /tmp/going; cd /tmp/going")
    shell("rmdir /tmp/going")
    result = shell("pwd")
    assert result.stdout == "/home/user\n"
    assert "cannot go back to its directory" in (result.stderr or "")


def test_shells_are_independent(module_client: Runloop, devbox_id: str) -> None:
    until_told = "A=slow; until [ -e ~/go ]; do sleep 0.05; done; echo $A"
    slow = module_client.devboxes.execute_async(devbox_id, command=until_told, shell_name="one")
    quick = module_client.devboxes.execute_sync(devbox_id, command='echo "[$A]"; A=quick', shell_name="two/../ü\nx")
    assert (quick.stdout, quick.shell_name) == ("[]\n", "two/../ü\nx")
    module_client.devboxes.execute_sync(devbox_id, command="touch ~/go")
    done = module_client.devboxes.executions.await_completed(slow.execution_id, devbox_id=devbox_id)
    assert done.stdout == "slow\n"


def test_commands_of_one_shell_run_in_their_order(module_client: Runloop, devbox_id: str, shell: Shell) -> None:
    name = "in-order"
    run = module_client.devboxes.execute_async
    first = run(devbox_id, command="sleep 1.5; N=0", shell_name=name)
    others = [run(devbox_id, command="echo $N; N=$((N + 1))", shell_name=name) for _ in range(10)]
    assert first.status == "running"
    assert {other.status for other in others} == {"queued"}
    view = module_client.devboxes.executions.retrieve(others[5].execution_id, devbox_id=devbox_id)
    assert (view.status, view.stdout, view.shell_name) == ("queued", None, name)
    outputs = [
        module_client.devboxes.executions.await_completed(other.execution_id, devbox_id=devbox_id).stdout
        for other in others
    ]
    assert outputs == [f"{number}\n" for number in range(10)]


def test_waiting_for_running_sees_a_queued_command_start(module_client: Runloop, devbox_id: str) -> None:
    run = module_client.devboxes.execute_async
    run(devbox_id, command="sleep 1", shell_name="turns")
    second = run(devbox_id, command="sleep 1", shell_name="turns")
    view = module_client.devboxes.wait_for_command(
        second.execution_id, devbox_id=devbox_id, statuses=["running"], timeout_seconds=20
    )
    assert view.status == "running"


def test_a_stream_of_a_queued_command_waits_for_it(module_client: Runloop, devbox_id: str) -> None:
    run = module_client.devboxes.execute_async
    run(devbox_id, command="sleep 1", shell_name="streamed")
    second = run(devbox_id, command="echo one; sleep 0.3; echo two", shell_name="streamed")
    stream = module_client.devboxes.executions.stream_stdout_updates(second.execution_id, devbox_id=devbox_id)
    assert "".join(chunk.output for chunk in stream) == "one\ntwo\n"


def test_a_queued_command_that_is_killed_never_runs(module_client: Runloop, devbox_id: str) -> None:
    run = module_client.devboxes.execute_async
    run(devbox_id, command="sleep 1.5", shell_name="cancelled")
    second = run(devbox_id, command="echo x > never", shell_name="cancelled")
    third = run(devbox_id, command="ls never", shell_name="cancelled")
    killed = module_client.devboxes.executions.kill(second.execution_id, devbox_id=devbox_id)
    assert (killed.status, killed.exit_status, killed.stdout) == ("completed", 137, "")
    stream = module_client.devboxes.executions.stream_stdout_updates(second.execution_id, devbox_id=devbox_id)
    assert list(stream) == []
    done = module_client.devboxes.executions.await_completed(third.execution_id, devbox_id=devbox_id)
    assert done.exit_status == 2


def test_killing_a_running_command_lets_the_next_one_run(module_client: Runloop, devbox_id: str) -> None:
    run = module_client.devboxes.execute_async
    first = run(devbox_id, command="A=1; echo on; sleep 600; true", shell_name="killed")
    second = run(devbox_id, command='echo "[$A]"', shell_name="killed")
    next(iter(module_client.devboxes.executions.stream_stdout_updates(first.execution_id, devbox_id=devbox_id)))
    killed = module_client.devboxes.executions.kill(first.execution_id, devbox_id=devbox_id, kill_process_group=True)
    assert (killed.status, killed.exit_status) == ("completed", 137)
    done = module_client.devboxes.executions.await_completed(second.execution_id, devbox_id=devbox_id)
    assert done.stdout == "[]\n"
    assert "died during the command before" in (done.stderr or "")


def test_an_interrupt_ends_the_command_and_keeps_the_shell(module_client: Runloop, devbox_id: str) -> None:
    shell_name = "interrupted"
    module_client.devboxes.execute_sync(devbox_id, command="A=1", shell_name=shell_name)
    started = module_client.devboxes.execute_async(devbox_id, command="echo on; sleep 600", shell_name=shell_name)
    next(iter(module_client.devboxes.executions.stream_stdout_updates(started.execution_id, devbox_id=devbox_id)))
    sent = module_client.devboxes.executions.send_std_in(started.execution_id, devbox_id=devbox_id, signal="INTERRUPT")
    assert sent.success
    done = module_client.devboxes.executions.await_completed(started.execution_id, devbox_id=devbox_id)
    assert done.exit_status == 130
    after = module_client.devboxes.execute_sync(devbox_id, command="echo $A", shell_name=shell_name)
    assert (after.stdout, after.stderr) == ("1\n", "")


def test_a_background_process_does_not_hold_the_shell(shell: Shell) -> None:
    started = time.monotonic()
    assert shell("sleep 60 & echo started").stdout == "started\n"
    assert shell("echo next").stdout == "next\n"
    assert time.monotonic() - started < 20


def test_a_shell_reads_standard_input(module_client: Runloop, devbox_id: str) -> None:
    started = module_client.devboxes.execute_async(
        devbox_id, command="read -r LINE; echo got $LINE", shell_name="reader", attach_stdin=True
    )
    module_client.devboxes.executions.send_std_in(started.execution_id, devbox_id=devbox_id, text="hello\n")
    done = module_client.devboxes.executions.await_completed(started.execution_id, devbox_id=devbox_id)
    assert done.stdout == "got hello\n"
    after = module_client.devboxes.execute_sync(devbox_id, command="echo $LINE", shell_name="reader")
    assert after.stdout == "hello\n"


def test_an_empty_name_is_refused(module_client: Runloop, devbox_id: str) -> None:
    with pytest.raises(BadRequestError):
        module_client.devboxes.execute_sync(devbox_id, command="true", shell_name="")


def test_a_shell_outlives_a_suspended_devbox(module_client: Runloop) -> None:
    devboxes = module_client.devboxes
    box = devboxes.create_and_await_running().id
    devboxes.execute_sync(box, command="cd /tmp; export A=kept; f() { echo f; }", shell_name="main")
    devboxes.suspend(box)
    devboxes.await_suspended(box)
    devboxes.resume(box)
    devboxes.await_running(box)
    after = devboxes.execute_sync(box, command="pwd; printenv A; f", shell_name="main")
    assert (after.stdout, after.stderr) == ("/tmp\nkept\nf\n", "")
    devboxes.shutdown(box)


@pytest.mark.parametrize(
    ("calls", "said"),
    [
        (["set -E", "trap 'echo err' ERR", "false", "f() { false; }; f"], "err\nerr\nerr\n"),
        (["trap 'echo err' ERR; false", "false", "true", "echo $?"], "err\nerr\n0\n"),
        (["export EX", "EX=5; bash -c 'echo $EX'"], "5\n"),
        (["declare -i N; declare -l low", "N=2+3; low=ABC; echo $N $low"], "5 abc\n"),
        (["trap 'echo dbg' DEBUG", "echo one", "trap - DEBUG", "echo two"], "dbg\none\ndbg\ntwo\n"),
        (["trap 'echo ret' RETURN; set -T; g() { :; }", "g"], "ret\n"),
        (["trap 'echo bye $?' EXIT", "echo one", "(exit 4)", "exit 3"], "one\nbye 3\n"),
        (["trap 'echo bye' EXIT", "trap - EXIT", "exit 0"], ""),
        (["trap 'echo err' ERR; false", "echo (", "false"], "err\nerr\n"),
        (["set -e", "echo (", "false; echo no", "echo yes"], "yes\n"),
        (["set -o pipefail; true | (exit 4) | true", "echo $?"], "4\n"),
        (["set -- a b; shift", 'echo "$1"', "shopt -s extglob", "[[ abb == a+(b) ]] && echo matched"], "b\nmatched\n"),
    ],
)
def test_calls_of_a_shell_are_lines_of_one_session(shell: Shell, calls: list[str], said: str) -> None:
    assert "".join(shell(call).stdout or "" for call in calls) == said
