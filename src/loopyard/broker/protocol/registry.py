"""The protocols by their names on the wire."""

from loopyard.broker.protocol.acp import AcpProtocol
from loopyard.broker.protocol.base import AgentProtocol
from loopyard.broker.protocol.claude import ClaudeProtocol
from loopyard.broker.protocol.codex import CodexProtocol
from loopyard.broker.protocol.pi import PiProtocol

DEFAULT = "acp"

PROTOCOLS: dict[str, type[AgentProtocol]] = {
    "acp": AcpProtocol,
    "claude_json": ClaudeProtocol,
    "codex_json": CodexProtocol,
    "pi_json": PiProtocol,
}
