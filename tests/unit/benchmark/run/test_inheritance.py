"""What benchmark runs hand down, on both engines, and what is kept of it."""

from pathlib import Path

import pytest
from sqlalchemy import select

from loopyard.benchmark.run.inheritance import Inheritance
from loopyard.benchmark.run.models import BenchmarkRun
from loopyard.kit.db.database import Database
from loopyard.scenario.run.profile import inherit
from loopyard.scenario.run.schemas import RunProfile
from loopyard.secret.held import HeldTokens
from loopyard.secret.keys import KeyFile
from loopyard.secret.models import HeldToken
from loopyard.secret.vault import Vault
from tests.unit.benchmark.run.test_lists import new_run

pytestmark = pytest.mark.anyio

TOKEN = "ghp_very_secret"


def _profile() -> RunProfile:
    return RunProfile.model_validate(
        {
            "envVars": {"A": "1"},
            "secrets": {"S": "name"},
            "purpose": "p",
            "launchParameters": {"resource_size_request": "X_SMALL", "launch_commands": ["true"]},
            "mounts": [
                {"type": "file_mount", "target": "t", "content": "c"},
                {"type": "code_mount", "repo_owner": "o", "repo_name": "r", "token": TOKEN},
                {"type": "agent_mount", "agent_id": None, "agent_name": "a", "auth_token": TOKEN},
            ],
        }
    )


async def test_a_profile_is_handed_down_whole_and_its_tokens_are_kept_sealed_until_the_run_is_over(
    database: Database, tmp_path: Path
) -> None:
    inheritance = Inheritance(HeldTokens(Vault(KeyFile(tmp_path))))
    run = new_run(None, None, "running")
    async with database.write() as session:
        session.add(run)
        await inheritance.keep(session, run, _profile())
    async with database.read() as session:
        stored = (await session.execute(select(BenchmarkRun.__table__))).all()
        assert TOKEN not in repr(stored)
    async with database.write() as session:
        assert await inheritance.join(session, "acc_1", run.id, RunProfile()) == _profile()
    async with database.write() as session:
        await inheritance.forget(session, await session.merge(run))
    async with database.read() as session:
        assert (await session.scalars(select(HeldToken))).all() == []
        assert (await session.scalars(select(BenchmarkRun.run_profile))).one() is None


def test_a_variable_takes_the_place_of_a_secret_and_a_secret_that_of_a_variable() -> None:
    outer = RunProfile(env_vars={"A": "1", "B": "2"}, secrets={"C": "c", "D": "d"})
    inner = RunProfile(env_vars={"C": "3"}, secrets={"A": "a"})
    merged = inherit(outer, inner)
    assert (merged.env_vars, merged.secrets) == ({"B": "2", "C": "3"}, {"A": "a", "D": "d"})
