"""What images say of themselves, and images that are not made by Loopyard."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from runloop_api_client import Runloop

from loopyard.runtime.base_image import apt
from tests.integration.devbox.waiting import run, wait_for
from tests.serving import ServerProcess
from tests.slow.blueprint.building import build, complete, ended, fresh, output, said, until_said
from tests.slow.blueprint.contexts import context
from tests.slow.blueprint.images import busybox_archive, import_image, musl_archive

LOOPYARD = Path(sys.executable).with_name("loopyard")
SAYS = """FROM {image}
RUN mkdir -p /srv/work && chmod 777 /srv /srv/work && echo 'bob:x:70:70::/srv:/bin/sh' > /etc/passwd
ENV COLOUR=green
USER bob
WORKDIR /srv/work
ENTRYPOINT ["/bin/sh", "-c", "echo $0 as $(id -u) in $(pwd) > /srv/said"]
CMD ["cmd"]
"""


@pytest.fixture(scope="module")
def saying(build_server: ServerProcess, busybox: str) -> str:
    """A blueprint of an image that says all that an image can."""
    with build_server.client() as client:
        return complete(client, "saying", dockerfile=SAYS.format(image=busybox)).id


def until_read(client: Runloop, devbox_id: str, path: str) -> str:
    return run(client, devbox_id, f"until [ -s {path} ]; do sleep 0.1; done; cat {path}")


def test_the_entrypoint_of_an_image_is_run_and_the_devbox_outlives_it(builds: Runloop, saying: str) -> None:
    devbox = builds.devboxes.create_and_await_running(blueprint_id=saying)
    assert until_read(builds, devbox.id, "/srv/said") == "cmd as 70 in /srv/work\n"
    assert run(builds, devbox.id, "id -un; pwd; echo $COLOUR") == "bob\n/srv/work\ngreen\n"
    builds.devboxes.suspend(devbox.id)
    run_again = wait_for(builds, devbox.id, "suspended")
    builds.devboxes.resume(run_again.id)
    wait_for(builds, devbox.id, "running")
    snapshot = builds.devboxes.snapshot_disk(devbox.id)
    builds.devboxes.shutdown(devbox.id)

    # A box of the snapshot, and one of a snapshot of that, are as the image says, too.
    second = builds.devboxes.create_and_await_running(snapshot_id=snapshot.id, environment_variables={"COLOUR": "red"})
    assert run(builds, second.id, "rm /srv/said; id -un; pwd; echo $COLOUR") == "bob\n/srv/work\nred\n"
    deeper = builds.devboxes.snapshot_disk(second.id)
    third = builds.devboxes.create_and_await_running(snapshot_id=deeper.id)
    assert until_read(builds, third.id, "/srv/said") == "cmd as 70 in /srv/work\n"
    assert run(builds, third.id, "id -un; pwd; echo $COLOUR") == "bob\n/srv/work\ngreen\n"
    for one in (second, third):
        builds.devboxes.shutdown(one.id)


def test_an_entrypoint_that_the_api_names_takes_the_place_of_the_images(builds: Runloop, saying: str) -> None:
    devbox = builds.devboxes.create_and_await_running(
        blueprint_id=saying,
        entrypoint="echo named > /srv/named; exec sleep 600",
        launch_parameters={"user_parameters": {"uid": 0, "username": "root"}},
    )
    assert until_read(builds, devbox.id, "/srv/named") == "named\n"
    assert run(builds, devbox.id, "ls /srv; id -u") == "named\nwork\n0\n"
    builds.devboxes.shutdown(devbox.id)


def test_an_entrypoint_that_cannot_be_started_does_no_harm(builds: Runloop, busybox: str) -> None:
    broken = complete(builds, dockerfile=f'FROM {busybox}\nENTRYPOINT ["/no/such/program"]\n')
    assert output(builds, "echo works", blueprint_id=broken.id) == "works\n"


def test_files_go_in_and_out_of_an_image_that_has_next_to_nothing(builds: Runloop, busybox: str) -> None:
    blueprint = complete(builds, dockerfile=f"FROM {busybox}\n")
    devbox = builds.devboxes.create_and_await_running(
        blueprint_id=blueprint.id, file_mounts={"/etc/mounted": "mounted\n", "~/own": "own\n"}
    )
    assert run(builds, devbox.id, "cat /etc/mounted ~/own") == "mounted\nown\n"
    builds.devboxes.write_file_contents(devbox.id, file_path="deep/er/file", contents="written\n")
    assert builds.devboxes.read_file_contents(devbox.id, file_path="deep/er/file") == "written\n"
    builds.devboxes.upload_file(devbox.id, path="up", file=io.BytesIO(b"\x00up"))
    assert builds.devboxes.download_file(devbox.id, path="up").read() == b"\x00up"
    builds.devboxes.shutdown(devbox.id)


def test_a_run_is_scored_in_an_image_without_bash(builds: Runloop, busybox: str) -> None:
    blueprint = complete(builds, dockerfile=f"FROM {busybox}\n")
    scorer = {"type": "bash_script_scorer", "bash_script": "read a < ~/out && echo score=$a || echo score=0.0"}
    scenario = builds.scenarios.create(
        name="without bash",
        input_context={"problem_statement": "none"},
        environment_parameters={"blueprint_id": blueprint.id},
        scoring_contract={"scoring_function_parameters": [{"name": "s", "weight": 1, "scorer": scorer}]},  # type: ignore[typeddict-item]
    )
    made = builds.scenarios.start_run_and_await_env_ready(scenario_id=scenario.id)
    assert run(builds, made.devbox_id, "echo 1.0 > ~/out") == ""
    scored = builds.scenarios.runs.score_and_complete(made.id)
    assert scored.scoring_contract_result is not None
    assert (scored.state, scored.scoring_contract_result.score) == ("completed", 1.0)


def image_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(LOOPYARD), "image", *arguments], capture_output=True, text=True, check=False)


def test_an_imported_image_is_listed_and_removed_unless_a_build_uses_it(builds: Runloop, tmp_path: Path) -> None:
    name = "localhost/removed:test"
    import_image(LOOPYARD, busybox_archive(tmp_path), name)
    assert name in image_command("list").stdout
    blueprint = builds.blueprints.create(name="uses", dockerfile=f"FROM {name}\n{fresh()}RUN echo begun; sleep 600\n")
    until_said(builds, blueprint.id, "begun")
    refused = image_command("remove", name)
    assert refused.returncode == 1
    assert "in use" in refused.stderr
    assert name in image_command("list").stdout
    builds.blueprints.delete(blueprint.id)
    ended_build = complete(builds, dockerfile=f"FROM {name}\n{fresh()}RUN echo kept > /kept\n")
    assert image_command("remove", name).returncode == 0
    assert name not in image_command("list").stdout
    assert output(builds, "cat /kept", blueprint_id=ended_build.id) == "kept\n"
    assert build(builds, dockerfile=f"FROM {name}\n").status == "failed"
    again = image_command("remove", name)
    assert again.returncode == 1
    assert "cannot be removed" in again.stderr
    assert ended(builds, blueprint.id).state == "deleted"


def test_what_is_no_image_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no archive")
    name = f"localhost/nothing:{uuid4().hex}"
    for arguments in (("text", name), ("text", name, "--change", "VOLUME /x")):
        refused = image_command("import", str(tmp_path / arguments[0]), *arguments[1:])
        assert refused.returncode == 1
        assert "cannot be imported" in refused.stderr
    assert name not in image_command("list").stdout


def test_a_debian_of_mmdebstrap_is_imported_and_built_on(builds: Runloop, tmp_path: Path) -> None:
    archive = tmp_path / "minbase.tar"
    (tmp_path / "sources").mkdir()
    command = ["mmdebstrap", "--quiet", "--variant=minbase", apt.codename()]
    subprocess.run([*command, str(archive), *apt.own_sources(tmp_path / "sources")], check=True)
    assert "minbase" in import_image(LOOPYARD, archive, "minbase:test")
    blueprint = complete(builds, dockerfile="FROM minbase:test\nRUN bash -c 'echo built by $(id -un)' > /built\n")
    assert output(builds, "cat /built; bash -c 'id -un'", blueprint_id=blueprint.id) == "built by root\nuser\n"
    assert image_command("remove", "minbase:test").returncode == 0
    assert "Using cache" not in said(builds, blueprint.id)


def test_an_image_with_musl_is_built_on_and_started(builds: Runloop, tmp_path: Path) -> None:
    import_image(LOOPYARD, musl_archive(tmp_path), "musl:test")
    blueprint = complete(builds, dockerfile=f"FROM musl:test\n{fresh()}RUN made-for-musl > /built\n")
    assert output(builds, "cat /built; made-for-musl; ls /lib64 2>&1 || :", blueprint_id=blueprint.id).splitlines() == [
        "root of musl",
        "user of musl",
        "ls: /lib64: No such file or directory",
    ]
    assert image_command("remove", "musl:test").returncode == 0


@pytest.mark.parametrize(("user", "group"), [("app", 700), ("app:more", 701), ("77", 77), ("1000", 1000)])
def test_folders_of_mounts_have_the_group_of_the_images_user(builds: Runloop, user: str, group: int) -> None:
    dockerfile = f"""FROM loopyard-base
RUN groupadd -g 700 shared && groupadd -g 701 more && useradd -m -u 600 -g shared app
USER {user}
"""
    blueprint = complete(builds, dockerfile=dockerfile)
    archive = context(builds, {"inside": b"x"})["object_id"]
    mounts: list[Any] = [{"type": "object_mount", "object_id": archive, "object_path": "/opt/new/folder"}]
    look = "cd /opt/new; id -g; touch more; stat -c %g . folder folder/inside more"
    assert output(builds, look, blueprint_id=blueprint.id, mounts=mounts) == f"{group}\n" * 5


def test_a_capability_of_a_program_is_kept_by_copy_and_has_effect(builds: Runloop) -> None:
    may_read_all = "0100000202" + "00" * 15  # effective, CAP_DAC_OVERRIDE
    set_it = f'import os; os.setxattr("/reader", "security.capability", bytes.fromhex("{may_read_all}"))'
    dockerfile = f"""FROM loopyard-base AS made
RUN cp /bin/cat /reader && python3 -c '{set_it}'
FROM loopyard-base
COPY --from=made /reader /usr/local/bin/reader
COPY --from=made --chown=user:user --chmod=755 /reader /usr/local/bin/owned
RUN echo closed > /srv/closed && chmod 600 /srv/closed && cp /bin/cat /usr/local/bin/plain
"""
    blueprint = complete(builds, dockerfile=dockerfile)
    look = "plain /srv/closed || reader /srv/closed && owned /srv/closed && id -un"
    assert output(builds, look, blueprint_id=blueprint.id) == "closed\nclosed\nuser\n"
