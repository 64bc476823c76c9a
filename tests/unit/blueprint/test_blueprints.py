"""Blueprints, built in memory: from the request to a devbox of the image."""

import itertools

import pytest
from runloop_api_client import APIStatusError, BadRequestError, NotFoundError, Runloop

from tests.integration.devbox.waiting import POLL, run, wait_until

_numbers = itertools.count(1)


def _built(api: Runloop, **fields: object) -> str:
    made = api.blueprints.create(name=f"in memory {next(_numbers)}", **fields)  # type: ignore[arg-type]
    wait_until(
        lambda: api.blueprints.retrieve(made.id).status in ("build_complete", "failed"), lambda: "it is built still"
    )
    return made.id


def test_a_devbox_has_the_files_and_the_steps_of_its_blueprint(api: Runloop) -> None:
    blueprint_id = _built(
        api,
        file_mounts={"/etc/greeting": "hello $HOME\n", "own": "mine"},
        system_setup_commands=["echo step > /opt/step", "mkdir -p /srv/data && touch /srv/data/file"],
    )
    assert api.blueprints.retrieve(blueprint_id).status == "build_complete"
    devbox = api.devboxes.create_and_await_running(blueprint_id=blueprint_id, polling_config=POLL)
    assert devbox.blueprint_id == blueprint_id
    told = run(api, devbox.id, "cat /etc/greeting /opt/step ~/own; ls /srv/data")
    assert told == "hello $HOME\nstep\nminefile\n"
    api.devboxes.shutdown(devbox.id)


def test_a_dockerfile_is_built_on_another_blueprint(api: Runloop) -> None:
    first = _built(api, dockerfile="FROM loopyard-base\nENV COLOR=blue\nRUN echo $COLOR > /opt/color\n")
    second = _built(api, base_blueprint_id=first, system_setup_commands=["cat /opt/color /opt/color > /opt/twice"])
    devbox = api.devboxes.create_and_await_running(blueprint_id=second, polling_config=POLL)
    assert run(api, devbox.id, "cat /opt/twice") == "blue\nblue\n"
    api.devboxes.shutdown(devbox.id)


def test_a_build_that_fails_says_why_in_its_log_and_makes_no_devbox(api: Runloop) -> None:
    blueprint_id = _built(api, system_setup_commands=["echo nearly; exit 3"])
    failed = api.blueprints.retrieve(blueprint_id)
    assert (failed.status, failed.failure_reason) == ("failed", "build_failed")
    told = [line.message for line in api.blueprints.logs(blueprint_id).logs]
    assert any("nearly" in line for line in told)
    with pytest.raises(APIStatusError) as raised:
        api.devboxes.create(blueprint_id=blueprint_id)
    assert raised.value.status_code in (400, 409)


def test_names_lead_to_the_newest_build_and_deleted_ones_are_gone(api: Runloop) -> None:
    ids = [api.blueprints.create(name="in memory, the same").id for _ in range(2)]
    wait_until(
        lambda: {api.blueprints.retrieve(each).status for each in ids} == {"build_complete"}, lambda: "not built"
    )
    devbox = api.devboxes.create_and_await_running(blueprint_name="in memory, the same", polling_config=POLL)
    assert devbox.blueprint_id == ids[1]
    api.devboxes.shutdown(devbox.id)
    assert [each.id for each in api.blueprints.list(name="in memory, the same").blueprints] == ids[::-1]
    api.blueprints.delete(ids[0])
    assert [each.id for each in api.blueprints.list(name="in memory, the same").blueprints] == ids[1:]


def test_what_cannot_be_built_is_refused_before_it_is_begun(api: Runloop) -> None:
    with pytest.raises(BadRequestError) as both:
        api.blueprints.create(name="both", dockerfile="FROM loopyard-base", base_blueprint_id="bpt_x")
    assert isinstance(both.value.body, dict)
    with pytest.raises(NotFoundError):
        api.blueprints.create(name="on nothing", base_blueprint_id="bpt_x")
    with pytest.raises(NotFoundError):
        api.blueprints.retrieve("bpt_x")
