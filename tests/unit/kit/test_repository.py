"""The verbs of repositories mean the same for each table."""

from typing import Any

import pytest

from loopyard.gateway_config.models import GatewayConfig
from loopyard.gateway_config.repository import GatewayConfigRepository
from loopyard.kit.db.database import Database
from loopyard.kit.db.named_repository import NameFilters, set_name
from loopyard.kit.errors import BadRequest, NotFound
from loopyard.kit.lists.paging import PageQuery
from loopyard.mcp_config.models import McpConfig
from loopyard.mcp_config.repository import McpConfigRepository

pytestmark = pytest.mark.anyio


def _mcp(config_id: str, name: str, account_id: str = "acc_1") -> McpConfig:
    given: dict[str, Any] = {
        "endpoint": "https://a.example",
        "allowed_tools": [],
        "auth_mechanism": {},
        "custom_headers": [],
    }
    row = McpConfig(id=config_id, account_id=account_id, create_time_ms=1, **given)
    set_name(row, name)
    return row


def _gateway(config_id: str, name: str, account_id: str | None) -> GatewayConfig:
    given: dict[str, Any] = {"endpoint": "https://a.example", "auth_mechanism": {}, "custom_headers": []}
    row = GatewayConfig(id=config_id, account_id=account_id, create_time_ms=1, **given)
    set_name(row, name)
    return row


async def test_a_row_is_found_by_its_id_and_by_its_account_only(database: Database) -> None:
    async with database.write() as session:
        configs = McpConfigRepository(session)
        await configs.create(_mcp("mcp_1", "one"))
        assert (await configs.get_one_owned("mcp_1", "acc_1")).name == "one"
        assert await configs.get_by_id("mcp_1") is not None
        assert await configs.get_owned("mcp_1", "acc_2") is None
        assert await configs.get_owned_for_update("mcp_1", "acc_2") is None
        with pytest.raises(NotFound, match=r"There is no MCP configuration mcp_1\.") as found:
            await configs.get_one_owned("mcp_1", "acc_2", "config")
        assert found.value.field == "config"
        with pytest.raises(NotFound):
            await configs.get_one_owned_for_update("mcp_2", "acc_1")


async def test_a_read_for_update_sees_what_others_have_written(database: Database) -> None:
    async with database.write() as session:
        await McpConfigRepository(session).create(_mcp("mcp_1", "one"))
    async with database.write() as session:
        configs = McpConfigRepository(session)
        seen = await configs.get_by_id("mcp_1")
        assert seen is not None
        seen.description = "not written"
        again = await configs.get_by_id_for_update("mcp_1")
        assert again is seen
        assert seen.description is None


async def test_pages_are_newest_first_and_count_what_meets_the_conditions(database: Database) -> None:
    async with database.write() as session:
        configs = McpConfigRepository(session)
        for number in range(5):
            await configs.create(_mcp(f"mcp_{number}", f"Name {number}"))
        await configs.create(_mcp("mcp_9", "Name", "acc_2"))
        first = await configs.list_page("acc_1", NameFilters(), PageQuery(limit=2))
        assert [row.id for row in first.items] == ["mcp_4", "mcp_3"]
        assert (first.has_more, first.total_count) == (True, 5)
        query = PageQuery(5, "mcp_3", include_total_count=False)
        rest = await configs.list_page("acc_1", NameFilters(), query)
        assert [row.id for row in rest.items] == ["mcp_2", "mcp_1", "mcp_0"]
        assert (rest.has_more, rest.total_count) == (False, None)


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (NameFilters(), ["mcp_2", "mcp_1"]),
        (NameFilters(id="mcp_1"), ["mcp_1"]),
        (NameFilters(name="ALP"), ["mcp_1"]),
        (NameFilters(name="pha"), []),
        (NameFilters(search="PHA"), ["mcp_1"]),
        (NameFilters(search="mcp_"), ["mcp_2", "mcp_1"]),
        (NameFilters(search="%"), []),
    ],
)
async def test_lists_are_narrowed_by_id_name_and_free_text(
    database: Database, filters: NameFilters, found: list[str]
) -> None:
    async with database.write() as session:
        configs = McpConfigRepository(session)
        await configs.create(_mcp("mcp_1", "Alpha"))
        await configs.create(_mcp("mcp_2", "Beta"))
        page = await configs.list_page("acc_1", filters, PageQuery())
    assert [row.id for row in page.items] == found


async def test_a_name_is_taken_once_in_an_account(database: Database) -> None:
    async with database.write() as session:
        configs = McpConfigRepository(session)
        await configs.create(_mcp("mcp_1", "one"))
        with pytest.raises(BadRequest, match="there is an MCP configuration named 'one' already"):
            await configs.rename(_mcp("mcp_2", "two"), "acc_1", "one")
        await configs.rename(_mcp("mcp_3", "three"), "acc_2", "one")
    with pytest.raises(BadRequest, match="there is an MCP configuration named 'one' already"):
        async with database.write() as session:
            await McpConfigRepository(session).create(_mcp("mcp_4", "one"))


async def test_the_accounts_own_configuration_goes_before_the_servers_of_the_same_name(database: Database) -> None:
    async with database.write() as session:
        configs = GatewayConfigRepository(session)
        await configs.create(_gateway("gwc_1", "model", None))
        assert await configs.id_of_name("acc_1", "model") == "gwc_1"
        await configs.rename(_gateway("gwc_2", "other", "acc_1"), "acc_1", "model")  # the server's name is free
        await configs.create(_gateway("gwc_2", "model", "acc_1"))
        assert await configs.id_of_name("acc_1", "model") == "gwc_2"
        assert (await configs.get_one_named_for_update("model", "acc_2", "gateway")).id == "gwc_1"
        assert (await configs.get_one_named_for_update("gwc_1", "acc_1", "gateway")).id == "gwc_1"
        with pytest.raises(NotFound):
            await configs.get_one_named_for_update("gwc_2", "acc_2", "gateway")


async def test_what_is_deleted_is_gone_and_its_object_stays(database: Database) -> None:
    async with database.write() as session:
        configs = McpConfigRepository(session)
        row = await configs.delete(await configs.create(_mcp("mcp_1", "one")))
        assert row.name == "one"
        assert await configs.get_by_id("mcp_1") is None
