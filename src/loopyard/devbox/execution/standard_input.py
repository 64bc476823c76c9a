"""Standard input of running commands, written by callers."""

import asyncio
import signal
from collections import OrderedDict
from typing import Literal
from weakref import WeakValueDictionary

from loopyard.devbox.execution.engine import ExecutionEngine
from loopyard.devbox.execution.models import Execution
from loopyard.devbox.execution.states import COMPLETED
from loopyard.kit.db.database import Database
from loopyard.kit.errors import BadRequest, Busy
from loopyard.kit.idempotency import RequestIdentity, claim
from loopyard.kit.ids import new_id
from loopyard.runtime.errors import CommandNotFound
from loopyard.runtime.protocol import Runtime

StdinSignal = Literal["EOF", "INTERRUPT"]

_BEGIN_SECONDS = 10.0
_TAKE_SECONDS = 20.0
"""How long a command may leave its standard input full before what is sent counts as not taken."""

_REMEMBERED = 10_000


class StandardInput:
    """Sends each text once, whole, and in the order of the calls."""

    def __init__(self, database: Database, runtime: Runtime, engine: ExecutionEngine) -> None:
        self._database = database
        self._runtime = runtime
        self._engine = engine
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._sent: OrderedDict[str, asyncio.Future[bool]] = OrderedDict()
        """By the id that a request's key was claimed for: whether what it brought was taken."""

    async def send(
        self,
        account_id: str,
        execution: Execution,
        text: str | None,
        signal_name: StdinSignal | None,
        request_key: RequestIdentity | None,
    ) -> bool:
        """Send text, then a signal: `EOF` closes standard input, `INTERRUPT` is Ctrl-C for the command's process group.
        A repeat of a request that was carried out sends nothing, and answers the same.

        Returns:
            Whether all was taken; false if the command has ended, or does not read what it is sent.

        Raises:
            BadRequest: There is nothing to send, or the command has no standard input attached.
            Busy: The command is queued still.
            RequestKeyReused: Another request had this one's key.
        """
        if not text and signal_name is None:
            raise BadRequest("text: give text or a signal to send.", field="text")
        if (text or signal_name == "EOF") and not execution.spec.get("attach_stdin"):
            field = "text" if text else "signal"
            message = f"{field}: this execution was started without attach_stdin, so its standard input is empty."
            raise BadRequest(message, field=field)
        if execution.status == COMPLETED:
            return False
        if not await self._engine.wait_begun(execution.devbox_id, execution.id, _BEGIN_SECONDS):
            raise Busy(f"Execution {execution.id} is queued in its shell; send when it runs.")
        sending = new_id("inp")
        async with self._database.write() as session:
            owner = await claim(session, account_id, "executions.send_std_in", request_key, sending)
        if owner != sending:
            earlier = self._sent.get(owner)  # a request of before a crash may have been carried out or not
            return earlier is not None and await asyncio.shield(earlier)
        outcome: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._sent[sending] = outcome
        while len(self._sent) > _REMEMBERED:
            self._sent.popitem(last=False)
        taken = False
        try:
            taken = await self._in_turn(execution, text, signal_name)
        finally:
            outcome.set_result(taken)
        return taken

    async def _in_turn(self, execution: Execution, text: str | None, signal_name: StdinSignal | None) -> bool:
        key = (execution.devbox_id, execution.id)
        turn = self._turns.setdefault(key, asyncio.Lock())
        try:
            async with asyncio.timeout(_TAKE_SECONDS), turn:
                if text or signal_name == "EOF":
                    await self._runtime.write_stdin(*key, (text or "").encode(), eof=signal_name == "EOF")
                if signal_name == "INTERRUPT":
                    await self._runtime.signal_command(*key, signal.SIGINT, group=True)
        except (TimeoutError, CommandNotFound):
            return False
        return True
