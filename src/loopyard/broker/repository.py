"""SQL for brokers."""

from collections.abc import Sequence

from sqlalchemy import delete, exists, select

from loopyard.axon.event.origins import Origin
from loopyard.axon.models import AxonEvent
from loopyard.broker.models import Broker, BrokerFrame
from loopyard.devbox.lifecycle.states import FINAL
from loopyard.devbox.models import Devbox
from loopyard.kit.db.repository import TableRepository

HEARD = (Origin.EXTERNAL_EVENT, Origin.USER_EVENT)
"""Origins of the events that agents act on."""


class BrokerRepository(TableRepository[Broker]):
    async def get_by_devbox(self, devbox_id: str) -> Broker | None:
        return await self._session.get(Broker, devbox_id)

    async def get_by_devbox_for_update(self, devbox_id: str) -> Broker | None:
        """A broker, kept from others' changes until the transaction ends."""
        return await self._session.get(Broker, devbox_id, with_for_update=True, populate_existing=True)

    async def wakers(self) -> Sequence[tuple[str, str]]:
        """Axon and devbox of each broker whose events resume its devbox, of devboxes that have not ended."""
        statement = (
            select(Broker.axon_id, Broker.devbox_id)
            .join(Devbox, Devbox.id == Broker.devbox_id)
            .where(Broker.wakes, Devbox.status.not_in(FINAL))
        )
        return [(row[0], row[1]) for row in await self._session.execute(statement)]

    async def axons_with_brokers(self) -> Sequence[tuple[str, str]]:
        """Axon and devbox of each broker of a devbox that has not ended."""
        statement = (
            select(Broker.axon_id, Broker.devbox_id)
            .join(Devbox, Devbox.id == Broker.devbox_id)
            .where(Devbox.status.not_in(FINAL))
        )
        return [(row[0], row[1]) for row in await self._session.execute(statement)]

    def add_frame(self, frame: BrokerFrame) -> None:
        """Add a frame, to be written with what else the transaction changes."""
        self._session.add(frame)

    async def list_frames(self, devbox_id: str) -> Sequence[BrokerFrame]:
        """The frames that may not have been delivered, in order."""
        statement = select(BrokerFrame).where(BrokerFrame.devbox_id == devbox_id).order_by(BrokerFrame.number)
        return (await self._session.scalars(statement)).all()

    async def delete_frames(self, devbox_id: str, until: int | None = None) -> None:
        """Forget the frames up to a number, or all."""
        statement = delete(BrokerFrame).where(BrokerFrame.devbox_id == devbox_id)
        await self._session.execute(statement if until is None else statement.where(BrokerFrame.number <= until))

    async def has_input_since(self, axon_id: str, cursor: int, time_ms: int) -> bool:
        """True if there are events for the agent after a sequence that are not older than a time."""
        heard = exists().where(
            AxonEvent.axon_id == axon_id,
            AxonEvent.sequence > cursor,
            AxonEvent.timestamp_ms >= time_ms,
            AxonEvent.origin.in_([int(origin) for origin in HEARD]),
        )
        return bool(await self._session.scalar(select(heard)))
