"""Sealing, opening, and changing the keys, on both databases."""

from pathlib import Path

import pytest
from sqlalchemy import text

from loopyard.kit.db.database import Database
from loopyard.kit.errors import Unavailable
from loopyard.kit.ids import new_id
from loopyard.secret.keys import FixedKeys, KeyFile, new_key, parse
from loopyard.secret.models import Secret
from loopyard.secret.repository import SecretRepository
from loopyard.secret.rotation import rotate
from loopyard.secret.schemas import SecretCreateParams
from loopyard.secret.service import SecretService
from loopyard.secret.vault import Sealed, Vault

pytestmark = pytest.mark.anyio


@pytest.fixture
def ring(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path)


@pytest.fixture
def service(database: Database, ring: KeyFile) -> SecretService:
    return SecretService(database, Vault(ring))


async def _make(database: Database, service: SecretService, **values: str) -> None:
    for name, value in values.items():
        params = SecretCreateParams.model_validate({"name": name, "value": value})
        async with database.write() as session:
            await service.create(session, "acc_1", params, secret_id=new_id("sec"))


def test_a_sealed_value_opens_with_its_key_only_and_in_its_own_row_only(ring: KeyFile) -> None:
    vault = Vault(ring)
    sealed = vault.seal("sec_1", "the value")
    assert vault.open("sec_1", sealed) == "the value"
    assert b"the value" not in sealed.data
    assert vault.seal("sec_1", "the value").data != sealed.data
    with pytest.raises(Unavailable):
        vault.open("sec_2", sealed)
    with pytest.raises(Unavailable):
        vault.open("sec_1", Sealed(sealed.data[:-1] + b"\0", sealed.key_id))
    with pytest.raises(Unavailable):
        Vault(FixedKeys([new_key()])).open("sec_1", sealed)


def test_the_key_is_a_file_that_only_its_owner_reads(ring: KeyFile, tmp_path: Path) -> None:
    Vault(ring).seal("sec_1", "x")
    file = tmp_path / "secret-keys"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [key.id for key in parse(file.read_text())] == [ring.all()[0].id]
    assert file.read_text().strip() not in repr(ring.all())


def test_what_is_no_key_is_refused_without_telling_it() -> None:
    for text_ in ("canary", "Y2FuYXJ5", "!" * 44):
        with pytest.raises(ValueError, match="32 bytes") as raised:
            parse(text_)
        assert text_ not in str(raised.value)


async def test_the_values_of_another_account_are_not_there(database: Database, service: SecretService) -> None:
    await _make(database, service, MINE="x")
    assert await service.values("acc_1", {"A": "MINE", "B": "NONE"}) == ({"A": "x"}, ["NONE"])
    assert await service.values("acc_2", {"A": "MINE"}) == ({}, ["MINE"])


async def test_rotation_seals_all_anew_and_forgets_the_old_key(
    database: Database, service: SecretService, ring: KeyFile
) -> None:
    await _make(database, service, A="one", B="two")
    (before,) = ring.all()
    assert await rotate(database, ring) == 2
    (after,) = ring.all()
    assert after.id != before.id
    assert (await service.values("acc_1", {"A": "A", "B": "B"}))[0] == {"A": "one", "B": "two"}
    async with database.read() as session:
        assert await SecretRepository(session).key_ids() == {after.id}


async def test_a_rotation_that_was_cut_off_anywhere_is_finished_by_the_next(
    database: Database, service: SecretService, ring: KeyFile
) -> None:
    await _make(database, service, A="one")
    first = ring.all()[0]
    ring.write([new_key(), first])  # cut off after the new key was added
    await _make(database, service, B="two")
    async with database.read() as session:
        assert len(await SecretRepository(session).key_ids()) == 2
    assert (await service.values("acc_1", {"A": "A", "B": "B"}))[0] == {"A": "one", "B": "two"}
    assert await rotate(database, ring) == 2
    assert len(ring.all()) == 1
    assert (await service.values("acc_1", {"A": "A", "B": "B"}))[0] == {"A": "one", "B": "two"}


async def test_a_rotation_that_cannot_open_a_secret_forgets_no_key(
    database: Database, service: SecretService, ring: KeyFile
) -> None:
    await _make(database, service, A="one")
    kept = ring.all()[0]
    async with database.write() as session:
        await session.execute(text("UPDATE secret SET key_id = 'ffffffffffffffff'"))
    with pytest.raises(Unavailable):
        await rotate(database, ring)
    assert kept in ring.all()


async def test_keys_that_are_set_are_changed_by_putting_a_new_one_in_front(database: Database) -> None:
    old, new = new_key(), new_key()
    service = SecretService(database, Vault(FixedKeys([old])))
    await _make(database, service, A="one")
    both = FixedKeys([new, old])
    assert await rotate(database, both) == 1
    assert (await SecretService(database, Vault(FixedKeys([new]))).values("acc_1", {"A": "A"}))[0] == {"A": "one"}
    assert await rotate(database, both) == 0


async def test_the_database_holds_no_value(database: Database, service: SecretService) -> None:
    await _make(database, service, A="canary-at-rest")
    async with database.read() as session:
        (row,) = await SecretRepository(session).list_sealed("acc_1", {"A"})
    assert isinstance(row, Secret)
    assert b"canary" not in row.sealed
