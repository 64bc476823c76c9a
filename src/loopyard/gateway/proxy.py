"""Passes devboxes' calls on to their upstreams, in the proxy's process."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from typing import Any

from loopyard.gateway.observation import Call, Headers, Observation, Observer
from loopyard.upstream_proxy import tokens
from loopyard.upstream_proxy.addresses import AddressRefused
from loopyard.upstream_proxy.channel import Channel, ChannelClosed, Message
from loopyard.upstream_proxy.endpoint import Endpoint
from loopyard.upstream_proxy.hop import Field, request_fields
from loopyard.upstream_proxy.serving import Active
from loopyard.upstream_proxy.wire.caller import Request
from loopyard.upstream_proxy.wire.errors import CallerGone, UpstreamFault
from loopyard.upstream_proxy.wire.exchange import pass_on
from loopyard.upstream_proxy.wire.message import RequestHead
from loopyard.upstream_proxy.wire.pool import Pool

log = logging.getLogger("loopyard.gateway")

_REPEATABLE = ("GET", "HEAD", "OPTIONS")


class GatewayProxy:
    def __init__(self, channel: Channel, pool: Pool, active: Active, observation: Observation) -> None:
        self._channel = channel
        self._pool = pool
        self._active = active
        self._observation = observation
        self._ending: set[asyncio.Task[None]] = set()

    async def handle(self, request: Request) -> None:
        """Answer one request of a devbox."""
        token = tokens.find(request.lower) or ""
        asked = {"token": token, "source": request.source, "method": request.method, "target": request.target}
        try:
            answer = await self._channel.ask({"gateway": asked})
        except ChannelClosed:
            await request.refuse(503, "unavailable", "The server is ending; try again.")
            return
        if (refused := answer.get("refused")) is not None:
            await request.refuse(refused["status"], refused["code"], refused["message"])
        elif (answered := answer.get("answered")) is not None:
            fields = [(str(name), str(value)) for name, value in answered["headers"]]
            await request.answer(answered["status"], fields, answered["body"].encode("latin-1"))
        elif "fault" in answer:
            await request.refuse(503, "unavailable", "The server could not decide about this call; try again.")
        else:
            call = Call(**answer["call"])
            with self._active.during(call.devbox_id, "gateway"):
                await self._carry(request, token, call, answer)

    async def _carry(self, request: Request, token: str, call: Call, answer: Message) -> None:
        set_fields: list[Field] = [(name, value) for name, value in answer["set"]]
        endpoint = Endpoint.parse(answer["endpoint"])
        fields = request_fields(request.fields, token, {name.lower() for name, _ in set_fields})
        watched = self._watch(call, fields, [token, *(value for _, value in set_fields)])
        head = RequestHead(
            request.method,
            answer["target"],
            endpoint.authority,
            [*fields, *set_fields],
            request.has_body,
            request.upgrade,
        )
        error: str | None = "it was cut off"
        try:
            await self._exchange(request, head, endpoint, call, watched)
            error = None
        except AddressRefused as refusal:
            error = str(refusal)
            await request.refuse(403, "upstream_refused", f"This upstream is not called: {refusal}")
        except UpstreamFault as fault:
            error = str(fault)
            if request.answered:
                raise CallerGone from fault  # the devbox sees that the answer is not whole
            status, code = (504, "gateway_timeout") if fault.timed_out else (502, "bad_gateway")
            await request.refuse(status, code, str(fault))
        except (CallerGone, OSError):
            error = "the devbox hung up"
            raise
        finally:
            self._later(watched.end(error))

    async def _exchange(
        self, request: Request, head: RequestHead, endpoint: Endpoint, call: Call, watched: "Watched"
    ) -> None:
        repeatable = request.method in _REPEATABLE and not request.has_body
        fresh = False
        while True:
            origin, upstream = await self._pool.take(
                call.account_id, endpoint, http1_only=request.upgrade is not None, fresh=fresh
            )
            try:
                await pass_on(request, head, upstream, watched)
            except UpstreamFault as fault:
                upstream.close()
                # It may have closed a connection that nobody used just as this was sent.
                if not (repeatable and upstream.reused and not request.answered and not fault.timed_out):
                    raise
                fresh = True
            except BaseException:
                upstream.close()
                raise
            else:
                self._pool.give_back(origin, upstream)
                return

    def _watch(self, call: Call, fields: list[Field], known: list[str]) -> "Watched":
        async def report(data: Mapping[str, Any]) -> None:
            answer = await self._channel.ask({"report": {"call": _dumped(call), "report": dict(data)}})
            if "fault" in answer:
                raise RuntimeError(f"the report of call {call.id} could not be stored: {answer['fault']}")

        try:
            observer = self._observation.observe(call, report, known)
        except Exception:
            log.exception("call %s is not observed", call.id)
            observer = None
        watched = Watched(call.id, observer)
        watched.request(fields)
        return watched

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


class Watched:
    """An observer whose faults end the observation and not the call."""

    def __init__(self, call_id: str, observer: Observer | None) -> None:
        self._call_id = call_id
        self._observer = observer

    def request(self, fields: list[Field]) -> None:
        if self._observer is not None:
            try:
                self._observer.request(_lower(fields))
            except Exception:
                self._give_up()

    def request_body(self, chunk: bytes) -> None:
        if self._observer is not None:
            try:
                self._observer.request_body(chunk)
            except Exception:
                self._give_up()

    def response(self, status: int, fields: list[Field]) -> None:
        if self._observer is not None:
            try:
                self._observer.response(status, _lower(fields))
            except Exception:
                self._give_up()

    def body(self, chunk: bytes) -> None:
        if self._observer is not None:
            try:
                self._observer.body(chunk)
            except Exception:
                self._give_up()

    async def end(self, error: str | None) -> None:
        if self._observer is not None:
            try:
                await self._observer.end(error)
            except ChannelClosed:
                pass  # the server is gone
            except Exception:
                self._give_up()

    def _give_up(self) -> None:
        log.exception("the observation of call %s ended", self._call_id)
        self._observer = None


def _lower(fields: list[Field]) -> Headers:
    return [(name.lower(), value) for name, value in fields]


def _dumped(call: Call) -> dict[str, Any]:
    return {name: getattr(call, name) for name in Call.__dataclass_fields__}
