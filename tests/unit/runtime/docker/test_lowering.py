"""The Dockerfile that the engine gets: nothing in it is looked up by a name that a caller chose."""

import re

import pytest

from loopyard.dockerfile import DockerfileError, Options, expand, plan_dockerfile
from loopyard.dockerfile.plan import SCRATCH, ExpandedStage, ImageConfig, ImageRef, StageRef
from loopyard.runtime.docker.building.lowering import Lowered, Surroundings, account_key, lower
from loopyard.runtime.docker.building.mounts import Secrets
from loopyard.runtime.docker.building.settings import user_of
from loopyard.runtime.images import BuildFailed
from loopyard.runtime.protocol import User


def lowered(text: str, secrets: Secrets | None = None, *, account: str = "one", **args: str) -> Lowered:
    plan = plan_dockerfile(text, Options(build_args=args, contexts=frozenset({"loopyard-files"})))
    stages: dict[int, ExpandedStage] = {}
    for index in plan.needed:
        stage = plan.stages[index]
        config = ImageConfig() if isinstance(stage.base, ImageRef) else SCRATCH
        if isinstance(stage.base, StageRef):
            config = stages[stage.base.index].config
        stages[index] = expand(plan, stage, config)
    images = {name: f"srv/held:b-{number}" for number, name in enumerate(plan.images)}
    around = Surroundings("srv", account_key(account), images, args, "srv/held:b-files")
    return lower(plan, stages, around, secrets or Secrets({}, {}), {})


def instructions(made: Lowered) -> list[str]:
    return [line.text for line in made.lines if not line.text.startswith(("ARG ", "LABEL loopyard.build"))]


def test_stages_and_images_have_names_of_the_build() -> None:
    made = lowered("FROM a AS x\nFROM b AS unused\nRUN true\nFROM x\nCOPY --from=0 /f /g\nCOPY --from=c:1 /f /h\n")
    assert instructions(made) == [
        "FROM srv/held:b-0 AS s0",
        "FROM s0 AS s2",
        'COPY --from=s0 ["f", "/g"]',
        'COPY --from=srv/held:b-1 ["f", "/h"]',
    ]
    assert made.for_buildkit is None


def test_a_frontend_of_the_callers_is_never_run() -> None:
    made = lowered("# syntax=docker/dockerfile:1\n# escape=`\nFROM a\nENV A=`$B\n")
    text = made.text("`")
    assert "syntax" not in text
    assert text.startswith("# escape=`\n")
    assert "ENV A=`$B" in text


def test_heredocs_become_commands_and_files() -> None:
    made = lowered("FROM a\nRUN <<E\necho one\necho $two\nE\nCOPY <<'E' /srv/\n$HOME\nE\n")
    assert made.for_buildkit is None
    *_, run, copy = instructions(made)
    assert run.startswith('RUN ["/bin/sh", "-c", "')
    assert "<<" not in copy
    assert list(made.files.values()) == [b"$HOME\n"]


def test_secrets_and_caches_are_by_account() -> None:
    text = "FROM a\nRUN --mount=type=cache,target=/c,id=pip --mount=type=secret,id=S,required=true true\n"
    secrets = [Secrets({"T": "it's"}, {"S": "other"}) for _ in range(2)]
    first, second = (lowered(text, one, account=name) for one, name in zip(secrets, ("one", "two"), strict=True))
    assert first.for_buildkit is not None
    assert sorted(secrets[0].given.values()) == ["export T='it'\"'\"'s'\n", "other"]
    runs = [instructions(made)[-1] for made in (first, second)]
    assert "it's" not in runs[0]
    ids = [set(re.findall(r"type=cache,id=([\w-]+)", run)) for run in runs]
    assert not ids[0] & ids[1]
    assert runs[0].replace("one", "").rpartition("[")[2] != runs[1].rpartition("[")[2], "the cache tells them apart"


@pytest.mark.parametrize(
    "line",
    [
        "ADD https://example.com/x /",
        "ADD https://example.com/x.git /",
        "COPY --exclude=*.c a /b",
        "COPY --chmod=u+x a /b",
        "RUN --mount=type=secret,id=missing,required=true true",
    ],
)
def test_what_is_not_offered_is_told_by_its_place(line: str) -> None:
    with pytest.raises(DockerfileError) as told:
        lowered(f"FROM a\n{line}\n")
    assert told.value.place.line == 2


def test_users_are_those_of_the_image() -> None:
    passwd = "root:x:0:0::/root:/bin/sh\nme:x:12:34::/home/me:/bin/sh\nbroken\nbad:x:y:z::/:/bin/sh\n"
    group = "staff:x:50:\n"
    assert user_of("me:staff", passwd, group) == User("me", 12, 50)
    assert user_of("12", passwd, group) == User("me", 12)
    assert user_of("77:88", passwd, group) == User("user77", 77, 88)
    assert user_of("nobody-knows", passwd, group) is None
    assert user_of("0", "", "") == User("root", 0)
    for named in ("99999999999", "me:nogroup", "me:99999999999"):
        with pytest.raises(BuildFailed):
            user_of(named, passwd, group)
