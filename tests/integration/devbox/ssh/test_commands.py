"""Commands and shells over SSH, by Debian's own client."""

import os
import pty
import signal
import subprocess
import time

import pytest
from runloop_api_client import Runloop

from tests.integration.devbox.ssh.clients import Login
from tests.integration.devbox.tunnel.services import until


def test_a_command_runs_as_the_devboxs_user_at_its_home(login: Login) -> None:
    done = login.run("id -un; pwd; echo $HOME; tty")
    assert done.stdout == b"user\n/home/user\n/home/user\nnot a tty\n"
    assert done.returncode == 1


def test_output_and_errors_are_kept_apart(login: Login) -> None:
    done = login.run("echo out; echo err >&2; exit 7")
    assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"err\n", 7)


def test_bytes_go_in_and_out_as_they_are(login: Login) -> None:
    data = os.urandom(3 * 1024 * 1024) + bytes(range(256))
    assert login.run("cat", input=data).stdout == data


def test_the_end_of_input_is_told_while_output_goes_on(login: Login) -> None:
    done = login.run("wc -c; sleep 0.3; echo still", input=b"12345")
    assert done.stdout == b"5\nstill\n"


def test_much_output_is_not_lost_at_the_end(login: Login) -> None:
    done = login.run("head -c 20000000 /dev/zero; echo end >&2", timeout=120)
    assert len(done.stdout) == 20_000_000
    assert done.stderr == b"end\n"


@pytest.mark.parametrize("status", [0, 1, 126, 127, 255])
def test_exit_statuses(login: Login, status: int) -> None:
    assert login.run(f"exit {status}").returncode == status


def test_a_death_by_a_signal_is_told_as_a_shell_tells_it(login: Login) -> None:
    assert login.run("kill -TERM $$").returncode == 128 + signal.SIGTERM


def test_environment_variables_that_are_sent_arrive(login: Login) -> None:
    done = login.run("echo $LC_MINE", before=("-o", "SendEnv=LC_MINE"), env={**os.environ, "LC_MINE": "Grüße"})
    assert done.stdout.decode() == "Grüße\n"


def test_a_command_that_leaves_something_running_does_not_hang(login: Login) -> None:
    begun = time.monotonic()
    done = login.run("sleep 30 & echo started")
    assert done.stdout == b"started\n"
    assert time.monotonic() - begun < 10
    login.run("pkill sleep")


def test_a_command_ends_when_its_client_goes(login: Login) -> None:
    with subprocess.Popen(
        login.ssh("echo on; exec -a gone-with-the-client sleep 1000"), stdout=subprocess.PIPE
    ) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == b"on\n"
        client.kill()
    until(15, lambda: login.run("pgrep -f '^gone-with-the-client'").returncode == 1)


def test_several_commands_run_at_once_over_one_connection(login: Login) -> None:
    control = login.key.with_name("control")
    with subprocess.Popen(login.ssh(before=("-M", "-N", "-S", str(control)))) as master:
        until(20, control.exists)
        shared = ("-S", str(control))
        several = [
            subprocess.Popen(login.ssh(f"sleep 0.5; echo {number}", before=shared), stdout=subprocess.PIPE)
            for number in range(8)
        ]
        assert [process.communicate(timeout=30)[0] for process in several] == [f"{n}\n".encode() for n in range(8)]
        login.run(before=(*shared, "-O", "exit"))
        master.wait(20)


class Screen:
    """A client at a terminal of the test's own."""

    def __init__(self, command: list[str]) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        os.set_blocking(self._master, False)
        self.seen = b""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def shows(self, text: str, seconds: float = 120) -> None:
        """Wait until the text has been shown since the last one."""
        deadline = time.monotonic() + seconds
        while (place := self.seen.find(text.encode())) < 0:
            assert time.monotonic() < deadline, self.seen
            try:
                self.seen += os.read(self._master, 65536)
            except BlockingIOError:
                time.sleep(0.02)
        self.seen = self.seen[place + len(text) :]

    def resize(self, rows: int, columns: int) -> None:
        import fcntl
        import struct
        import termios

        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process.send_signal(signal.SIGWINCH)

    def close(self) -> int:
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()
            os.close(self._master)


def test_a_shell_has_a_real_terminal(login: Login) -> None:
    screen = Screen(login.ssh(before=("-tt",)))
    screen.type("PS1='ready> '; tty; echo $TERM-$((6*7))\n")
    screen.shows("/dev/pts/")
    screen.shows("-42")
    screen.resize(37, 123)
    screen.type("sleep 0.5; stty size\n")
    screen.shows("37 123")
    screen.type("sleep 1000\n")
    time.sleep(0.7)
    screen.type("\x03")
    screen.type("echo status=$?\n")
    screen.shows("status=130")
    screen.type("shopt -q login_shell && echo login-$((1+1))\n")
    screen.shows("login-2")
    screen.type("exit 5\n")
    assert screen.close() == 5


def test_a_shell_without_a_terminal_takes_a_script(login: Login) -> None:
    done = login.run(input=b"echo one\nfalse || echo two\nexit 3\n")
    assert (done.stdout, done.returncode) == (b"one\ntwo\n", 3)


def test_it_is_the_box_of_the_api(login: Login, module_client: Runloop, devbox_id: str) -> None:
    login.run("echo by ssh > from-ssh")
    assert module_client.devboxes.read_file_contents(devbox_id, file_path="from-ssh") == "by ssh\n"
