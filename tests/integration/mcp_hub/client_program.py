"""The published MCP client, in a devbox: `python client_program.py STEPS`, where STEPS is a JSON list.

Each step is the name of a method and its arguments. What comes of each is printed as a line of JSON, and what the
servers say by themselves as well.
"""

import asyncio
import json
import os
import sys
from typing import Any

import httpx2
import mcp_types as types
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError


def tell(kind: str, value: Any) -> None:
    print(json.dumps({kind: value}), flush=True)  # noqa: T201


async def logged(params: types.LoggingMessageNotificationParams) -> None:
    tell("log", params.model_dump(mode="json"))


async def progressed(progress: float, total: float | None, message: str | None) -> None:
    tell("progress", [progress, total, message])


async def sample(context: Any, params: types.CreateMessageRequestParams) -> types.CreateMessageResult:
    del context
    tell("sampled", params.max_tokens)
    text = types.TextContent(type="text", text="what the model says")
    return types.CreateMessageResult(role="assistant", content=text, model="none", stop_reason="endTurn")


async def main() -> None:
    headers = {"Authorization": f"Bearer {os.environ[sys.argv[2]]}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(
            streamable_http_client(os.environ["RL_MCP_URL"], http_client=http),
            mode=sys.argv[3],
            logging_callback=logged,
            sampling_callback=sample,
        ) as client,
    ):
        for name, arguments in json.loads(sys.argv[1]):
            try:
                if name == "tools":
                    listed = await client.list_tools()
                    tell("tools", [tool.name for tool in listed.tools])
                else:
                    done = await client.session.send_request(
                        types.CallToolRequest(params=types.CallToolRequestParams(name=name, arguments=arguments)),
                        types.CallToolResult,
                        progress_callback=progressed,
                    )
                    tell("result", [part.model_dump(mode="json") for part in done.content])
            except MCPError as error:
                tell("error", [error.code, error.message])


asyncio.run(main())
