"""Blueprints are real images, and devboxes start from them."""

import httpx
import pytest
from runloop_api_client import APIStatusError, BadRequestError, ConflictError, NotFoundError, Runloop

from tests.serving import ServerProcess
from tests.slow.blueprint.building import build, complete, ended, fresh, output, said, until_said


def test_a_dockerfile_becomes_an_image_whose_user_folder_and_environment_devboxes_have(builds: Runloop) -> None:
    dockerfile = """FROM loopyard-base
RUN useradd --create-home bob
ENV COLOUR=green
USER bob
WORKDIR /srv/work
"""
    blueprint = complete(builds, dockerfile=dockerfile)
    assert blueprint.build_finish_time_ms is not None
    assert output(builds, "id -un; pwd; echo $COLOUR", blueprint_id=blueprint.id) == "bob\n/srv/work\ngreen\n"


def test_what_a_request_says_goes_before_what_the_image_says(builds: Runloop) -> None:
    dockerfile = "FROM loopyard-base\nENV COLOUR=green\nUSER nobody\n"
    blueprint = complete(
        builds,
        dockerfile=dockerfile,
        launch_parameters={"user_parameters": {"uid": 1000, "username": "user"}, "resource_size_request": "X_SMALL"},
    )
    devbox = builds.devboxes.create_and_await_running(
        blueprint_id=blueprint.id,
        environment_variables={"COLOUR": "red"},
        launch_parameters={"resource_size_request": "SMALL"},
    )
    assert devbox.blueprint_id == blueprint.id
    assert devbox.launch_parameters.resource_size_request == "SMALL"
    done = builds.devboxes.execute_and_await_completion(devbox.id, command="id -un; echo $COLOUR")
    assert done.stdout == "user\nred\n"
    builds.devboxes.shutdown(devbox.id)


def test_setup_commands_and_file_mounts_are_in_the_image(builds: Runloop) -> None:
    blueprint = complete(
        builds,
        file_mounts={"~/my $file": "mine\n", "/etc/greeting": "hello\n"},
        system_setup_commands=["cat /etc/greeting > /srv/a", "echo two >> /srv/a\necho three >> /srv/a"],
    )
    printed = output(builds, "cat /srv/a ~/'my $file'; stat -c %U ~/'my $file'", blueprint_id=blueprint.id)
    assert printed == "hello\ntwo\nthree\nmine\nuser\n"


def test_a_devbox_by_name_is_of_the_latest_complete_blueprint(builds: Runloop) -> None:
    for number in (1, 2):
        complete(builds, "by-name", system_setup_commands=[f"echo {number} > /srv/number"])
    assert build(builds, "by-name", system_setup_commands=["exit 1"]).status == "failed"
    assert output(builds, "cat /srv/number", blueprint_name="by-name") == "2\n"


def test_a_blueprint_is_built_on_another_by_id_and_by_name(builds: Runloop) -> None:
    base = complete(builds, "the-base", system_setup_commands=["echo below > /srv/below"])
    by_id = complete(builds, base_blueprint_id=base.id, system_setup_commands=["cat /srv/below > /srv/above"])
    assert by_id.base_blueprint_id == base.id
    by_name = complete(builds, base_blueprint_name="the-base", system_setup_commands=["cat /srv/below"])
    assert by_name.base_blueprint_id == base.id
    assert output(builds, "cat /srv/above", blueprint_id=by_id.id) == "below\n"


def test_a_failing_command_shows_its_output_and_its_exit_code(builds: Runloop) -> None:
    blueprint = build(builds, system_setup_commands=["echo to stdout; echo to stderr >&2; exit 37"])
    assert (blueprint.status, blueprint.failure_reason) == ("failed", "build_failed")
    lines = said(builds, blueprint.id)
    assert "to stdout" in lines
    assert "to stderr" in lines
    assert "exit status 37" in lines
    with pytest.raises(ConflictError):
        builds.with_options(max_retries=0).devboxes.create(blueprint_id=blueprint.id)


def test_logs_are_read_while_the_build_goes_on_and_deleting_it_stops_it(builds: Runloop) -> None:
    blueprint = builds.blueprints.create(name="long", system_setup_commands=["echo begun; sleep 600"])
    until_said(builds, blueprint.id, "begun")
    assert builds.blueprints.retrieve(blueprint.id).status == "building"
    builds.blueprints.delete(blueprint.id)
    deleted = builds.blueprints.retrieve(blueprint.id)
    assert (deleted.state, deleted.status) == ("deleted", "failed")
    assert blueprint.id not in {one.id for one in builds.blueprints.list()}
    # Its turn is free again: as many more as go on at once are built meanwhile.
    for number in range(2):
        complete(builds, system_setup_commands=[f"echo after {number}"])


def test_build_arguments_reach_the_commands(builds: Runloop, busybox: str) -> None:
    blueprint = complete(
        builds,
        dockerfile=f"FROM {busybox}\nARG WHAT\nRUN echo $WHAT > /what\n",
        build_args={"WHAT": "an argument"},
    )
    assert output(builds, "cat /what", blueprint_id=blueprint.id) == "an argument\n"


def test_an_imported_image_without_bash_users_or_a_c_library_starts(builds: Runloop, busybox: str) -> None:
    blueprint = complete(builds, dockerfile=f"FROM {busybox}\nRUN echo built > /built\n")
    printed = output(builds, "cat /built; id -u; pwd", blueprint_id=blueprint.id)
    assert printed == "built\n1000\n/home/user\n"


def test_secrets_are_seen_by_commands_and_are_nowhere_in_the_image(
    builds: Runloop, build_server: ServerProcess
) -> None:
    builds.secrets.create(name="BUILD_SECRET", value="a-value-that-is-secret")
    blueprint = complete(
        builds,
        secrets={"TOKEN": "BUILD_SECRET"},
        dockerfile=f"FROM loopyard-base\n{fresh()}"
        'RUN test "$TOKEN" = a-value-that-is-secret && echo seen\n'
        'RUN --mount=type=secret,id=TOKEN test "$(cat /run/secrets/TOKEN)" = a-value-that-is-secret && echo mounted\n',
    )
    lines = said(builds, blueprint.id)
    assert "seen" in lines
    assert "mounted" in lines
    search = "grep -rl a-value-that-is-secret / --exclude-dir=proc --exclude-dir=sys 2>/dev/null | wc -l"
    look = f"env | grep -c TOKEN; {search}"
    assert output(builds, f"({look}) || true", blueprint_id=blueprint.id).split() == ["0", "0"]
    assert "a-value-that-is-secret" not in build_server.log


def test_a_build_that_uses_all_its_memory_says_so(builds: Runloop) -> None:
    blueprint = build(builds, system_setup_commands=["python3 -c 'x = bytearray(16 << 30); print(len(x))'"])
    assert (blueprint.status, blueprint.failure_reason) == ("failed", "out_of_memory")


def test_the_object_of_a_build_context_is_copied_from(builds: Runloop, busybox: str) -> None:
    import io
    import tarfile

    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        entry = tarfile.TarInfo("inside/file")
        entry.size = 5
        tar.addfile(entry, io.BytesIO(b"hello"))
    made = builds.objects.create(name="context", content_type="tgz")
    httpx.put(made.upload_url or "", content=archive.getvalue()).raise_for_status()
    builds.objects.complete(made.id)
    blueprint = complete(
        builds,
        dockerfile=f"FROM {busybox}\nCOPY inside/ /copied/\n",
        build_context={"type": "object", "object_id": made.id},
    )
    assert output(builds, "cat /copied/file", blueprint_id=blueprint.id) == "hello"


def test_preview_gives_the_dockerfile_and_builds_nothing(builds: Runloop) -> None:
    before = {one.id for one in builds.blueprints.list()}
    preview = builds.blueprints.preview(  # pyright: ignore[reportDeprecated]
        name="p", system_setup_commands=["echo hi"], file_mounts={"/a": "b"}
    )
    assert preview.dockerfile == 'FROM loopyard-base\nCOPY --from=loopyard-files ["file-0", "/a"]\nRUN echo hi\n'
    assert {one.id for one in builds.blueprints.list()} == before


def test_what_cannot_be_is_refused_and_named(builds: Runloop) -> None:
    once = builds.with_options(max_retries=0)
    cases = [
        ({"base_blueprint_id": "bpt_x"}, NotFoundError, "base_blueprint_id"),
        ({"base_blueprint_name": "nobody"}, NotFoundError, "base_blueprint_name"),
        ({"network_policy_id": "npo_x"}, NotFoundError, "network_policy_id"),
        ({"secrets": {"A": "no-such"}}, BadRequestError, "secrets"),
        ({"build_context": {"type": "object", "object_id": "obj_x"}}, NotFoundError, "build_context.object_id"),
    ]
    for params, error, field in cases:
        with pytest.raises(error) as raised:
            once.blueprints.create(name="refused", **params)  # type: ignore[arg-type]
        assert isinstance(raised.value, APIStatusError)
        assert raised.value.response.json()["field"] == field
    for params in ({"dockerfile": "FROM a", "base_blueprint_name": "b"}, {"build_args": {"not a name": "x"}}):
        with pytest.raises(BadRequestError):
            once.blueprints.create(name="refused", **params)  # type: ignore[arg-type]
    for field in ("blueprint_id", "blueprint_name"):
        with pytest.raises(NotFoundError) as missing:
            once.devboxes.create(**{field: "nothing"})  # type: ignore[arg-type]
        assert missing.value.response.json()["field"] == field


def test_lists_are_narrowed_by_name_and_status(builds: Runloop, busybox: str) -> None:
    good = complete(builds, "listed", dockerfile=f"FROM {busybox}\n", metadata={"a": "b"})
    bad = build(builds, "listed", dockerfile=f"FROM {busybox}\nRUN false\n")
    assert [one.id for one in builds.blueprints.list(name="listed")] == [bad.id, good.id]
    assert [one.id for one in builds.blueprints.list(name="listed", status="build_complete")] == [good.id]
    assert builds.blueprints.retrieve(good.id).metadata == {"a": "b"}
    assert list(builds.blueprints.list_public()) == []


def test_a_scenario_runs_in_a_blueprint(builds: Runloop, busybox: str) -> None:
    blueprint = complete(builds, dockerfile=f"FROM {busybox}\nRUN echo here > /here\n")
    scenario = builds.scenarios.create(
        name="in a blueprint",
        input_context={"problem_statement": "none"},
        environment_parameters={"blueprint_id": blueprint.id},
        scoring_contract={
            "scoring_function_parameters": [
                {"name": "s", "weight": 1, "scorer": {"type": "bash_script_scorer", "bash_script": "cat /here"}}
            ]
        },
    )
    run = builds.scenarios.start_run_and_await_env_ready(scenario_id=scenario.id)
    done = builds.devboxes.execute_and_await_completion(run.devbox_id, command="cat /here")
    assert done.stdout == "here\n"
    builds.scenarios.runs.cancel(run.id)


def test_a_deleted_blueprint_makes_no_devboxes_but_those_it_made_go_on(builds: Runloop, busybox: str) -> None:
    blueprint = complete(builds, dockerfile=f"FROM {busybox}\nRUN echo kept > /kept\n")
    devbox = builds.devboxes.create_and_await_running(blueprint_id=blueprint.id)
    builds.blueprints.delete(blueprint.id)
    with pytest.raises(NotFoundError):
        builds.devboxes.create(blueprint_id=blueprint.id)
    done = builds.devboxes.execute_and_await_completion(devbox.id, command="cat /kept")
    assert done.stdout == "kept\n"
    builds.devboxes.shutdown(devbox.id)
    assert ended(builds, blueprint.id).state == "deleted"
