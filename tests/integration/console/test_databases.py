"""The pages on both databases."""

import re
from collections.abc import Generator

import pytest

from tests.console import Console
from tests.postgres import PostgresCluster
from tests.serving import ServerProcess, serving
from tests.stores import new_store


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def own(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres: PostgresCluster
) -> Generator[ServerProcess]:
    url = new_store(postgres) if request.param == "postgresql" else None
    with serving(tmp_path_factory.mktemp("console") / "data", database_url=url) as made:
        yield made


def test_all_pages_of_the_navigation_and_what_they_list(own: ServerProcess) -> None:
    with own.client() as client, Console(own.base_url) as console:
        devbox = client.devboxes.create_and_await_running(name="paged")
        client.devboxes.snapshot_disk(devbox.id)
        client.objects.create(name="paged", content_type="text")
        client.secrets.create(name="PAGED", value="not to be shown")
        client.axons.create(name="paged")
        console.log_in(own.api_key)
        lists = set(re.findall(r'<li><a href="/console(/[a-z-]*)"', console.page("/")))
        assert len(lists) > 14
        seen: set[str] = set()
        for path in lists:
            html = console.page(path)
            assert "not to be shown" not in html
            seen |= set(re.findall(r'href="/console(/[a-z-]+/[a-z]{3}_[0-9a-z]+)"', html))
        assert {path.split("/")[1] for path in seen} >= {
            "devboxes",
            "snapshots",
            "objects",
            "secrets",
            "axons",
            "gateways",
        }
        for path in seen:
            assert "not to be shown" not in console.page(path)
        assert "not to be shown" not in console.page("/search?q=paged")
        for path in ("/devboxes", "/objects", "/axons", "/keys"):
            console.page(f"{path}?after={'x' * 40}", expect=400)
