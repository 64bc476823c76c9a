"""Keys in the store, on both engines: what is written down and what is noticed."""

import pytest

from loopyard.account.service import limit, set_enabled
from loopyard.auth.authenticator import Authenticator, RefusedKey
from loopyard.auth.live import LiveConnections
from loopyard.auth.watch import KeyWatch
from loopyard.identity.models import Account
from loopyard.identity.repository import ApiKeyRepository
from loopyard.identity.scopes import Level, Resource, Scopes
from loopyard.key.service import make, take_back
from loopyard.kit.db.database import Database
from loopyard.kit.http.in_flight import InFlightRequests
from loopyard.kit.lists.paging import PageQuery

pytestmark = pytest.mark.anyio


async def test_changes_by_another_process_are_noticed(database: Database) -> None:
    live = LiveConnections(InFlightRequests())
    authenticator = Authenticator(database, live)
    watch = KeyWatch(database, authenticator)
    async with database.write() as session:
        session.add(Account(id="acc_1", name="one", create_time_ms=1))
        await session.flush()
        parent, parent_secret = await make(session, "acc_1", "parent", None, Scopes({Resource.ACCOUNT: Level.WRITE}))
        child, child_secret = await make(session, "acc_1", None, None, Scopes({}), made_by=parent.id)
        _, other_secret = await make(session, "acc_1", None, None, None)
    await watch.look()
    assert [(await authenticator.caller(one)).account_id for one in (parent_secret, child_secret)] == ["acc_1"] * 2
    async with database.write() as session:
        row = await ApiKeyRepository(session).get_valid_for_update(parent.id)
        assert row is not None
        assert await take_back(session, row) == [parent.id, child.id]
    await watch.look()
    for secret in (parent_secret, child_secret):
        with pytest.raises(RefusedKey, match="revoked"):
            await authenticator.caller(secret)
    assert (await authenticator.caller(other_secret)).limits is None
    async with database.write() as session:
        await limit(session, "acc_1", {"jobs": 3}, ())
    await watch.look()
    assert (await authenticator.caller(other_secret)).limits == {"jobs": 3}
    await watch.note_uses()
    async with database.write() as session:
        await set_enabled(session, "acc_1", enabled=False)
    await watch.look()
    with pytest.raises(RefusedKey, match="disabled"):
        await authenticator.caller(other_secret)
    async with database.read() as session:
        page = await ApiKeyRepository(session).list_page("acc_1", PageQuery())
    assert page.total_count == 1
    assert page.items[0].last_used_ms is not None
