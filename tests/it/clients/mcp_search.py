#!/usr/bin/env python3
"""Finds and reads a tool through the official MCP SDK for Python (`pip install "mcp>=2.3"`).

    mcp_search.py URL TOKEN QUERY [MODE]

MODE is how the SDK connects: `auto` (the default: server/discover, else initialize), `legacy` (the
initialize handshake, revision 2025-11-25) or `2026-07-28`. Prints one JSON line; exits 1 with the
reason on standard error when anything is not as it should be.
"""

import asyncio
import json
import sys

import mcp
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

EXPECTED = ["search_tools", "describe_tool", "recommend_tools", "compare_tools"]


def text_of(result):
    return "\n".join(block.text for block in result.content if block.type == "text")


async def find(url, token, query, mode):
    headers = {"Authorization": f"Bearer {token}"}
    async with create_mcp_http_client(headers=headers) as http:
        transport = streamable_http_client(url, http_client=http)
        async with mcp.Client(transport, mode=mode, read_timeout_seconds=30) as client:
            listed = await client.list_tools()
            names = [tool.name for tool in listed.tools]
            assert all(name in names for name in EXPECTED), names
            # The SDK checks structured content against the tool's output schema.
            found = await client.call_tool("search_tools", {"query": query, "limit": 5})
            assert not found.is_error, text_of(found)
            tools = found.structured_content["tools"]
            summary = {
                "protocol": client.protocol_version,
                "server": client.server_info.name if client.server_info else None,
                "instructions": client.instructions,
                "listed": names,
                "semantic": found.structured_content["semantic"],
                "notice": found.structured_content.get("notice"),
                "found": [f"{tool['server']}/{tool['name']}" for tool in tools],
                "text": text_of(found),
                "described": None,
            }
            if tools:
                tool = {"tool": f"{tools[0]['server']}/{tools[0]['name']}"}
                described = await client.call_tool("describe_tool", tool)
                assert not described.is_error, text_of(described)
                summary["described"] = described.structured_content
                ranged = await client.call_tool("describe_tool", {"tool": f"{tool['tool']}@^1"})
                assert not ranged.is_error, text_of(ranged)
                summary["ranged"] = ranged.structured_content
                counted = {"query": query, "facets": True, "token_budget": 5000}
                counted = await client.call_tool("search_tools", counted)
                assert not counted.is_error, text_of(counted)
                assert counted.structured_content["facets"]["counted"] >= len(tools)
                beside = {"tools": [tool["tool"], "no-such-server/no-such-tool"]}
                beside = await client.call_tool("recommend_tools", beside)
                assert not beside.is_error, text_of(beside)
                summary["beside"] = beside.structured_content
            absent = await client.call_tool("describe_tool", {"tool": "no-such-server/no-such-tool"})
            summary["absent"] = {"is_error": absent.is_error, "text": text_of(absent)}
            wrong = await client.call_tool("search_tools", {"first": 3})
            summary["wrong"] = {"is_error": wrong.is_error, "text": text_of(wrong)}
            return summary


def main(arguments):
    if len(arguments) not in (3, 4):
        sys.exit(__doc__)
    url, token, query, *mode = arguments
    try:
        summary = asyncio.run(find(url, token, query, mode[0] if mode else "auto"))
    except BaseException as error:  # noqa: BLE001 - the SDK wraps what went wrong in groups
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        sys.exit(f"{type(error).__name__}: {error}")
    print(json.dumps(summary))


if __name__ == "__main__":
    main(sys.argv[1:])
