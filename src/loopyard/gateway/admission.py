"""Answers the proxy's process about calls of the gateway, in the server's process, where the database is."""

from dataclasses import asdict

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.devbox.lifecycle.states import FINAL
from loopyard.gateway import repository
from loopyard.gateway.observation import Call, Ledger
from loopyard.gateway.repository import CallRow
from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import Database
from loopyard.kit.errors import LoopyardError
from loopyard.kit.ids import new_id
from loopyard.secret.service import SecretService
from loopyard.upstream_proxy import tokens
from loopyard.upstream_proxy.admission import UNKNOWN_TOKEN, Admission, CallRefused
from loopyard.upstream_proxy.channel import Message
from loopyard.upstream_proxy.endpoint import Endpoint
from loopyard.upstream_proxy.mechanism import CredentialUnfit, credential_headers, secret_ids


class GatewayAdmission:
    def __init__(
        self, database: Database, admission: Admission, secrets: SecretService, ledger: Ledger, *, record: bool
    ) -> None:
        """`record` has the calls recorded of devboxes of which the ledger does not say whether theirs are."""
        self._database = database
        self._admission = admission
        self._secrets = secrets
        self._ledger = ledger
        self._record = record

    async def answer(self, asked: Message) -> Message:
        """The target of a request and the headers that are put on it, or the reason why it is refused."""
        try:
            async with self._database.read() as session:
                call, answer = await self._admit(session, asked)
        except CallRefused as refusal:
            return refusal.told()
        except LoopyardError as error:
            return CallRefused(error.status, error.code, error.message).told()
        refusal = await self._ledger.check(call)
        if refusal is not None:
            body = refusal.body.decode("latin-1")
            return {"answered": {"status": refusal.status, "headers": list(refusal.headers), "body": body}}
        return answer

    async def _admit(self, session: AsyncSession, asked: Message) -> tuple[Call, Message]:
        row = await repository.of_token(session, tokens.digest(asked["token"]))
        if row is None:
            raise CallRefused(401, "unauthorized", UNKNOWN_TOKEN)
        self._admission.check_source(row.devbox_id, asked["source"], ended=row.status in FINAL)
        await self._admission.check_policy(session, row.launch_parameters, "gateway")
        if row.config_id is None:
            raise CallRefused(403, "config_missing", "The gateway configuration of this token was deleted.")
        values = await self._values(session, row)
        endpoint = Endpoint.parse(row.endpoint)
        try:
            target = endpoint.target(asked["target"])
            headers = credential_headers(row.auth_mechanism, row.custom_headers, values[row.secret_id], values)
        except ValueError as error:
            raise CallRefused(400, "invalid_request", f"The request cannot be passed on: {error}.") from error
        except CredentialUnfit as error:
            raise CallRefused(403, "secret_unfit", str(error)) from error
        call = await self._call(row, row.config_id, endpoint.host, asked["method"], target)
        answer = {"endpoint": row.endpoint, "target": target, "set": headers, "call": asdict(call)}
        return call, answer

    async def _values(self, session: AsyncSession, row: CallRow) -> dict[str, str]:
        """The values of the secrets that the call needs, by id.

        Raises:
            CallRefused: One was deleted.
        """
        values = dict[str, str]()
        if row.sealed is not None:
            values[row.secret_id] = self._secrets.opened(row.secret_id, row.sealed, row.key_id)
        if further := secret_ids(row.custom_headers):
            values |= await self._secrets.values_by_id(session, row.account_id, further)
        if missing := [one for one in (row.secret_id, *further) if one not in values]:
            message = f"The secret {missing[0]} that this gateway needs was deleted; make a token with another."
            raise CallRefused(403, "secret_missing", message)
        return values

    async def _call(self, row: CallRow, config_id: str, host: str, method: str, target: str) -> Call:
        run_id = row.initiator_id if row.initiator_type == "scenario" else None
        records = await self._ledger.records(row.devbox_id)
        return Call(
            id=new_id("gwx"),
            account_id=row.account_id,
            devbox_id=row.devbox_id,
            scenario_run_id=run_id,
            gateway_id=config_id,
            gateway_name=row.name,
            host=host,
            method=method,
            path=target,
            started_ms=now_ms(),
            record=self._record if records is None else records,
        )

    async def report(self, asked: Message) -> Message:
        """Store what an observer has concluded."""
        await self._ledger.record(Call(**asked["call"]), asked["report"])
        return {}
