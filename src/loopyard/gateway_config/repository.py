"""SQL for gateway configurations."""

from sqlalchemy import ColumnElement, or_, select

from loopyard.gateway_config.models import GatewayConfig
from loopyard.kit.db.named_repository import NamedRepository
from loopyard.kit.lists import names


class GatewayConfigRepository(NamedRepository[GatewayConfig]):
    """The accounts' configurations, and the server's own, which every account may use.

    A name of one of the server's own is free for accounts: theirs is found in its place then.
    """

    model = GatewayConfig
    kind = "gateway configuration"

    def _visible(self, account_id: str) -> ColumnElement[bool]:
        """Condition: the configuration is the account's or the server's own."""
        return or_(GatewayConfig.account_id == account_id, GatewayConfig.account_id.is_(None))

    def is_of(self, row: GatewayConfig, account_id: str) -> bool:
        """True if the configuration is the account's or the server's own."""
        return row.account_id in (None, account_id)

    async def id_of_name(self, account_id: str, name: str) -> str | None:
        """The id of the configuration of this name that the account has; its own go before the server's."""
        named = select(GatewayConfig.id).where(
            self._visible(account_id), GatewayConfig.name_digest == names.digest(name)
        )
        return await self._session.scalar(named.order_by(GatewayConfig.account_id.is_(None)).limit(1))
