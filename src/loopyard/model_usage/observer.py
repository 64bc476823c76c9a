"""Watches calls of models in the proxy's process: counts, prices, and records if that is asked for."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from loopyard.gateway.observation import Call, Headers, Report
from loopyard.model_usage.metering.apis import Api, api_of, model_of
from loopyard.model_usage.metering.meter import Measured, Meter, Outcome
from loopyard.model_usage.prices import Price, Prices, load
from loopyard.model_usage.recording.recorder import Recorder, Recording
from loopyard.model_usage.sums import CallReport, TokenCounts

log = logging.getLogger("loopyard.model_usage")

_WRITERS = 2
"""Recordings that are written at the same time: each may take some ten MiB of memory."""


class ModelObservation:
    """Observes those calls that are of models."""

    def __init__(self, folder: Path, sold_as: Mapping[str, str]) -> None:
        """`folder` is for recordings; `sold_as` as `Prices` takes it."""
        self._prices = Prices(sold_as)
        self._recorder = Recorder(folder)
        self._writers = asyncio.Semaphore(_WRITERS)
        self._loading: asyncio.Task[None] | None = None

    def observe(self, call: Call, report: Report, known: Sequence[str] = ()) -> "ModelObserver | None":
        """An observer, if the call is of a model. `known` are the credentials that go with it."""
        api = api_of(call.method, call.path)
        if api is None:
            return None
        if self._loading is None:  # while the upstream works
            self._loading = asyncio.create_task(asyncio.to_thread(load))
        recording = self._recorder.open(call, api, known) if call.record else None
        return ModelObserver(call, api, report, self._prices, recording, self._writers)


class ModelObserver:
    """Observes one call."""

    def __init__(
        self,
        call: Call,
        api: Api,
        report: Report,
        prices: Prices,
        recording: Recording | None,
        writers: asyncio.Semaphore,
    ) -> None:
        self._call = call
        self._api = api
        self._report = report
        self._prices = prices
        self._recording = recording
        self._writers = writers
        self._sent = False
        self._meter: Meter | None = None

    def request(self, headers: Headers) -> None:
        """Take the request's head."""
        if self._recording is not None:
            self._recording.request(headers)

    def request_body(self, chunk: bytes) -> None:
        """Take a piece of the request."""
        self._sent = True
        if self._recording is not None:
            self._recording.request_body(chunk)

    def response(self, status: int, headers: Headers) -> None:
        """Take the answer's head."""
        encoding = ", ".join(value for name, value in headers if name == "content-encoding")
        self._meter = Meter(self._api, status, encoding)
        if self._recording is not None:
            self._recording.response(status, headers)

    def body(self, chunk: bytes) -> None:
        """Take a piece of the answer."""
        if self._meter is not None:
            self._meter.feed(chunk)
        if self._recording is not None:
            self._recording.body(chunk)

    async def end(self, error: str | None) -> None:
        """Write the call down if it is recorded, then report what it has used: what is counted is recorded, too."""
        measured = self._measured(error)
        model = measured.model or model_of(self._call.path)
        price = await self._price(measured, model)
        report = CallReport(
            outcome=measured.outcome,
            tokens=TokenCounts.model_validate(measured.tokens),
            model=model[:200] if model else "",
            nano_usd=price.nano_usd,
            reason=measured.reason or price.reason,
        )
        try:
            if self._recording is not None:
                async with self._writers:
                    await asyncio.to_thread(self._recording.write, report, error)
        except Exception:
            log.exception("call %s could not be recorded", self._call.id)
        finally:
            await self._report(report.model_dump(mode="json"))

    def _measured(self, error: str | None) -> Measured:
        if self._meter is not None:
            return self._meter.finish(complete=error is None)
        # Without an answer: the upstream may have worked, but only on what it got.
        outcome = Outcome.CUT_OFF if self._sent else Outcome.FAILED
        return Measured(outcome, streamed=False, reason=error or "there was no answer")

    async def _price(self, measured: Measured, model: str | None) -> Price:
        if not measured.tokens.total:
            return Price(0 if measured.outcome == Outcome.COUNTED else None)

        def price() -> Price:
            return self._prices.price(
                self._call.host,
                self._api,
                model,
                measured.tokens,
                usage=measured.usage,
                service_tier=measured.service_tier,
                time_ms=self._call.started_ms,
            )

        try:
            return await asyncio.to_thread(price)  # the first loads the list
        except Exception as error:
            log.exception("call %s could not be priced", self._call.id)
            return Price(None, f"{type(error).__name__} while it was priced")
