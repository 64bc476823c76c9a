"""Secrets through the official client, with real devboxes."""

import httpx
import pytest
from runloop_api_client import BadRequestError, NotFoundError, Runloop
from runloop_api_client.types import SecretView

from tests.integration.devbox.waiting import run, wait_for
from tests.integration.scenario.definitions import scenario
from tests.serving import ServerProcess


@pytest.mark.semantic
def test_a_secret_is_found_by_name_and_by_id_and_never_tells_its_value(client: Runloop, server: ServerProcess) -> None:
    made = client.secrets.create(name="FOUND", value="canary-found")
    assert made.id.startswith("sec_")
    assert made.create_time_ms == made.update_time_ms
    assert client.secrets.retrieve("FOUND") == made
    assert _by_id(client, made.id) == made
    assert made in client.secrets.list(limit=5000).secrets
    headers = {"Authorization": f"Bearer {server.api_key}"}
    for path in ("/v1/secrets/FOUND", f"/v1/secrets/id/{made.id}", "/v1/secrets?limit=5000"):
        answer = httpx.get(server.base_url + path, headers=headers)
        assert answer.status_code == 200
        assert "canary" not in answer.text


def _by_id(client: Runloop, secret_id: str) -> SecretView:
    """The client has no calls by id."""
    return client.get(f"/v1/secrets/id/{secret_id}", cast_to=SecretView)


@pytest.mark.semantic
def test_it_is_updated_and_deleted_by_name_and_by_id(client: Runloop) -> None:
    made = client.secrets.create(name="CHANGING", value="one")
    by_name = client.secrets.update("CHANGING", value="two")
    by_id = client.post(f"/v1/secrets/id/{made.id}/update", body={"value": "three"}, cast_to=SecretView)
    assert made.update_time_ms < by_name.update_time_ms < by_id.update_time_ms
    assert (by_id.id, by_id.create_time_ms) == (made.id, made.create_time_ms)
    assert client.secrets.delete("CHANGING").id == made.id
    again = client.secrets.create(name="CHANGING", value="one")
    assert client.post(f"/v1/secrets/id/{again.id}/delete", cast_to=SecretView) == again
    for call in (
        lambda: client.secrets.retrieve("CHANGING"),
        lambda: _by_id(client, again.id),
        lambda: client.secrets.update("CHANGING", value="x"),
        lambda: client.post(f"/v1/secrets/id/{again.id}/update", body={"value": "x"}, cast_to=SecretView),
        lambda: client.post(f"/v1/secrets/id/{again.id}/delete", cast_to=SecretView),
    ):
        with pytest.raises(NotFoundError):
            call()


@pytest.mark.semantic
def test_names_are_unique_labels(client: Runloop) -> None:
    client.secrets.create(name="ONLY_ONE", value="x")
    for name in ("ONLY_ONE", "", "-a", "1ST", "a/b", "x" * 256):
        with pytest.raises(BadRequestError) as raised:
            client.secrets.create(name=name, value="canary-refused")
        assert raised.value.body["field"] == "name"  # type: ignore[index, call-overload]
        assert "canary" not in str(raised.value.body)


@pytest.mark.semantic
def test_a_name_with_hyphens_is_in_the_variable_that_the_devbox_says(client: Runloop) -> None:
    client.secrets.create(name="magic-number-secret", value="42")
    assert client.secrets.update("magic-number-secret", value="43").name == "magic-number-secret"
    one = client.devboxes.create_and_await_running(secrets={"MAGIC": "magic-number-secret"})
    assert run(client, one.id, 'printf %s "$MAGIC"') == "43"
    with pytest.raises(BadRequestError):
        client.devboxes.create(secrets={"magic-number-secret": "magic-number-secret"})
    client.devboxes.shutdown(one.id)


@pytest.mark.semantic
@pytest.mark.parametrize("value", ["", "canary\x00", "canary" * 20_000])
def test_a_value_that_no_variable_can_have_is_refused_without_telling_it(client: Runloop, value: str) -> None:
    with pytest.raises(BadRequestError) as raised:
        client.secrets.create(name="REFUSED", value=value)
    assert raised.value.body["field"] == "value"  # type: ignore[index, call-overload]
    assert "canary" not in str(raised.value.body)


@pytest.mark.semantic
def test_lists_are_limited_and_counted(client: Runloop) -> None:
    newest = [client.secrets.create(name=f"LISTED_{n}", value="x").id for n in range(3)][::-1]
    page = client.secrets.list(limit=2)
    assert [secret.id for secret in page.secrets] == newest[:2]
    assert page.has_more is True
    assert page.total_count is not None
    assert page.total_count >= 3
    with pytest.raises(BadRequestError):
        client.secrets.list(limit=5001)


@pytest.mark.semantic
def test_a_repeated_create_makes_one(client: Runloop) -> None:
    headers = {"x-request-id": "secret-made-once"}
    ids = {client.secrets.create(name="REPEATED", value="x", extra_headers=headers).id for _ in range(3)}
    assert len(ids) == 1


@pytest.mark.semantic
def test_devboxes_have_the_value_as_a_variable_and_an_update_reaches_the_next_one(client: Runloop) -> None:
    value = "first ' \" $HOME\nline"
    client.secrets.create(name="INJECTED", value=value)
    ask = 'printf %s "$TOKEN"'
    one = client.devboxes.create_and_await_running(
        secrets={"TOKEN": "INJECTED"},
        environment_variables={"TOKEN": "shadowed", "OTHER": "kept"},
        launch_parameters={"launch_commands": ['[ -n "$TOKEN" ]']},
    )
    assert run(client, one.id, ask) == value
    assert run(client, one.id, 'printf %s "$OTHER"') == "kept"
    client.secrets.update("INJECTED", value="second")
    two = client.devboxes.create_and_await_running(secrets={"TOKEN": "INJECTED"})
    assert run(client, two.id, ask) == "second"
    assert run(client, one.id, ask) == value
    for devbox in (one, two):
        client.devboxes.shutdown(devbox.id)


@pytest.mark.semantic
def test_a_devbox_that_is_resumed_has_the_newest_value_and_lives_on_without_a_deleted_one(client: Runloop) -> None:
    client.secrets.create(name="ROTATED", value="before")
    client.secrets.create(name="DROPPED", value="gone soon")
    devbox = client.devboxes.create_and_await_running(secrets={"A": "ROTATED", "B": "DROPPED"})
    client.devboxes.suspend(devbox.id)
    wait_for(client, devbox.id, "suspended")
    client.secrets.update("ROTATED", value="after")
    client.secrets.delete("DROPPED")
    client.devboxes.resume(devbox.id)
    wait_for(client, devbox.id, "running")
    assert run(client, devbox.id, 'printf "%s,%s" "$A" "${B-unset}"') == "after,unset"
    client.devboxes.shutdown(devbox.id)


@pytest.mark.semantic
@pytest.mark.parametrize("secrets", [{"TOKEN": "NO_SUCH"}, {"A=B": "NAMED"}, {"": "NAMED"}])
def test_what_cannot_be_injected_is_refused(client: Runloop, secrets: dict[str, str]) -> None:
    if not any(secret.name == "NAMED" for secret in client.secrets.list(limit=5000).secrets):
        client.secrets.create(name="NAMED", value="x")
    with pytest.raises(BadRequestError) as raised:
        client.devboxes.create(secrets=secrets)
    assert raised.value.body["field"] == "secrets"  # type: ignore[index, call-overload]


@pytest.mark.semantic
def test_a_scenario_run_has_the_secrets_of_its_profile(client: Runloop) -> None:
    client.secrets.create(name="SERVICE_KEY", value="for the run")
    made = client.scenarios.create(**scenario(required_secret_names=["KEY"]))
    with pytest.raises(BadRequestError) as raised:
        client.scenarios.start_run(scenario_id=made.id, run_profile={"secrets": {"OTHER": "SERVICE_KEY"}})
    assert raised.value.body["field"] == "runProfile.secrets"  # type: ignore[index, call-overload]
    run_view = client.scenarios.start_run(scenario_id=made.id, run_profile={"secrets": {"KEY": "SERVICE_KEY"}})
    assert run_view.secrets_provided == {"KEY": "SERVICE_KEY"}
    wait_for(client, run_view.devbox_id, "running")
    assert run(client, run_view.devbox_id, 'printf %s "$KEY"') == "for the run"
    assert client.scenarios.runs.retrieve(run_view.id).secrets_provided == {"KEY": "SERVICE_KEY"}
    client.scenarios.runs.cancel(run_view.id)
