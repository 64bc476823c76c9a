"""SQL for MCP configurations."""

from sqlalchemy import ColumnElement

from loopyard.kit.db.named_repository import NamedRepository
from loopyard.kit.lists import names
from loopyard.mcp_config.models import McpConfig


class McpConfigRepository(NamedRepository[McpConfig]):
    model = McpConfig
    kind = "MCP configuration"
    article = "an"

    def _matches_name(self, text: str) -> ColumnElement[bool]:
        """Condition: the name starts with the text, in any case."""
        return McpConfig.name_folded.startswith(names.fold(text), autoescape=True)
