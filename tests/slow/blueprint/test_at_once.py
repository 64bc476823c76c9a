"""Blueprints that are built at the same time from the same Dockerfile."""

from runloop_api_client import Runloop

from tests.slow.blueprint.building import ended, fresh, output


def test_builds_of_one_image_at_a_time_do_not_disturb_each_other(builds: Runloop) -> None:
    """Harbor does this: each trial of a task builds the task's blueprint if it is not there yet."""
    dockerfile = f"FROM loopyard-base\n{fresh()}RUN echo here > /here\n"
    made = [builds.blueprints.create(name="at-once", dockerfile=dockerfile).id for _ in range(3)]
    assert [ended(builds, one).status for one in made] == ["build_complete"] * 3
    for one in made:
        assert output(builds, "cat /here; sudo su root -c 'id -u'", blueprint_id=one) == "here\n0\n"
