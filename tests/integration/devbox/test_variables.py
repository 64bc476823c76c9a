"""Variables that no program can be started with are refused, from wherever they come."""

from collections.abc import Callable, Generator, Mapping
from typing import Any

import pytest
from runloop_api_client import BadRequestError, Runloop

from tests.integration.devbox.waiting import run
from tests.integration.scenario.definitions import scenario

BAD: Mapping[str, Mapping[str, str]] = {
    "one too large": {"BIG": "x" * 140_000},
    "too large together": {f"V{number:02}": "x" * 100_000 for number in range(20)},
    "a bad name": {"A=B": "x"},
    "an empty name": {"": "x"},
}


@pytest.fixture
def scenario_id(client: Runloop) -> Generator[str]:
    made = client.scenarios.create(**scenario())
    yield made.id
    client.scenarios.archive(made.id)


def _devbox(client: Runloop, _: str, variables: Mapping[str, str]) -> None:
    client.devboxes.create(environment_variables=dict(variables))


def _run(client: Runloop, scenario_id: str, variables: Mapping[str, str]) -> None:
    client.scenarios.start_run(scenario_id=scenario_id, run_profile={"env_vars": dict(variables)})


def _benchmark_run(client: Runloop, scenario_id: str, variables: Mapping[str, str]) -> None:
    benchmark = client.benchmarks.create(name="variables", scenario_ids=[scenario_id])
    client.benchmarks.start_run(benchmark_id=benchmark.id, run_profile={"env_vars": dict(variables)})


def _service(client: Runloop, _: str, variables: Mapping[str, str]) -> None:
    services: Any = [{"name": "db", "image": "postgres:16", "env": dict(variables)}]
    client.blueprints.create(name="variables", services=services)


_SOURCES: list[tuple[Callable[[Runloop, str, Mapping[str, str]], None], str]] = [
    (_devbox, "environment_variables"),
    (_run, "runProfile.envVars"),
    (_benchmark_run, "runProfile.envVars"),
    (_service, "services.0.env"),
]


@pytest.mark.semantic
@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize(
    ("source", "field"), _SOURCES, ids=[field for _, field in _SOURCES[:2]] + ["benchmark", "blueprint"]
)
def test_they_are_refused_by_the_name_of_the_field(
    client: Runloop, scenario_id: str, source: Callable[[Runloop, str, Mapping[str, str]], None], field: str, bad: str
) -> None:
    with pytest.raises(BadRequestError) as refused:
        source(client, scenario_id, BAD[bad])
    body: Any = refused.value.body
    assert body["field"] == field
    assert body["message"].startswith(f"{field}: ")


@pytest.mark.semantic
def test_secrets_count_with_their_values(client: Runloop) -> None:
    client.secrets.create(name="LARGE_VALUE", value="s" * 65_000)
    try:
        with pytest.raises(BadRequestError) as refused:
            client.devboxes.create(secrets={f"S{number}": "LARGE_VALUE" for number in range(30)})
        body: Any = refused.value.body
        assert body["field"] == "secrets"
        fits = client.devboxes.create_and_await_running(secrets={"ONE": "LARGE_VALUE"})
        assert run(client, fits.id, 'printf %s "$ONE" | wc -c').strip() == "65000"
        client.devboxes.shutdown(fits.id)
    finally:
        client.secrets.delete("LARGE_VALUE")


def test_the_largest_variable_reaches_every_program(client: Runloop) -> None:
    largest = "x" * (131_070 - 3)
    devbox = client.devboxes.create_and_await_running(environment_variables={"BIG": largest})
    assert run(client, devbox.id, "sh -c 'printf %s \"$BIG\" | wc -c'").strip() == str(len(largest))
    client.devboxes.shutdown(devbox.id)
