"""Gives all secrets another key. Works with a running server, and can be repeated after a crash anywhere in it."""

from loopyard.kit.db.database import Database
from loopyard.kit.host.failpoint import failpoint
from loopyard.secret.keys import KeyFile, KeyRing, new_key
from loopyard.secret.repository import SecretRepository
from loopyard.secret.vault import Sealed, Vault

_BATCH = 500


async def rotate(database: Database, ring: KeyRing) -> int:
    """Seal every secret with a new key, and forget the old ones. Where the keys are the operator's setting, seal with
    the first of them instead. Returns how many secrets were sealed anew.

    First both keys are on the disk, then the secrets are sealed anew, and only when nothing is sealed with an old key
    any more is it forgotten: at every moment there is a key for every secret.

    Raises:
        Unavailable: A secret's own key is not here; nothing is forgotten then.
    """
    if isinstance(ring, KeyFile):
        async with database.write() as session:
            await SecretRepository(session).hold_keys()
            ring.write([new_key(), *ring.all()])
        failpoint("secret.key_added")
    vault = Vault(ring)
    count = 0
    while True:
        async with database.write() as session:
            await SecretRepository(session).hold_keys()
            key_id = ring.all()[0].id
            secrets = await SecretRepository(session).list_sealed_otherwise_for_update(key_id, _BATCH)
            tokens = await SecretRepository(session).list_tokens_otherwise_for_update(key_id, _BATCH)
            for secret in secrets:
                value = vault.open(secret.id, Sealed(secret.sealed, secret.key_id))
                sealed = vault.seal(secret.id, value)
                secret.sealed, secret.key_id = sealed.data, sealed.key_id
            for token in tokens:
                sealed = vault.seal(token.bound_to, vault.open(token.bound_to, Sealed(token.sealed, token.key_id)))
                token.sealed, token.key_id = sealed.data, sealed.key_id
        failpoint("secret.sealed_anew")
        count += len(secrets)
        if not secrets and not tokens:
            break
    if isinstance(ring, KeyFile):
        async with database.write() as session:
            await SecretRepository(session).hold_keys()
            needed = await SecretRepository(session).key_ids()
            first, *others = ring.all()
            ring.write([first, *(key for key in others if key.id in needed)])
    return count
