"""The processes that a supervisor starts on its node: call actors and agent hosts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..agents.agent_host import AgentHost
from ..call.call_actor import CallActor
from ..refs.handles import ResidentRef


def start_call_actor(name: str, node: str, endpoint: str, token: str, leaves: bool) -> ResidentRef:
    """Have Ray start a call actor on this node. Blocks for a round trip to the control store."""
    return ResidentRef.start(CallActor, name, node, endpoint, token, name, node, leaves)


def start_agent_host(
    name: str, node: str, endpoint: str, token: str, agent: str, spec: Mapping[str, Any], bundle: str
) -> ResidentRef:
    """Have Ray start an agent host on this node. Blocks for a round trip to the control store."""
    return ResidentRef.start(AgentHost, name, node, endpoint, token, name, node, agent, dict(spec), bundle)
