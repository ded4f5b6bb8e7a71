"""The core of offhook: it decides, purely, and does nothing else.

    decision = step(state, event, policy)        # Decision(state, commands)

One event in, a new state and the effects to carry out. Time is an input, timers are data, nothing here reads a clock, a
file or a socket; so a whole call can be replayed, and ten thousand simulated, with this folder alone. Start reading at
`machine.py`, which is the table of who hears of what; each room then has a file of its own name.

What is named here is the public surface, with the modules `events`, `commands`, `state`, `replay` and `explain`: an
embedding program needs nothing else. Names are loaded on first use, so that a process which needs only an error class
does not pay for the rooms.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .agents.base import Agent, load
    from .codec import decode, encode
    from .errors import Bug, CallerFault, IllegalEvent, OffhookError, PolicyError, WorldFault
    from .explain import needed
    from .machine import Decision, step
    from .policy import AgentSpec, Policy
    from .proposals import Answer, Asks, Grant, Kind, Proposal, Purpose, RuleResult, Verdict
    from .replay import Divergence, Replay
    from .state import CallState
    from .view import view_of

__all__ = [
    "Agent",
    "AgentSpec",
    "Answer",
    "Asks",
    "Bug",
    "CallState",
    "CallerFault",
    "Decision",
    "Divergence",
    "Grant",
    "IllegalEvent",
    "Kind",
    "OffhookError",
    "Policy",
    "PolicyError",
    "Proposal",
    "Purpose",
    "Replay",
    "RuleResult",
    "Verdict",
    "WorldFault",
    "decode",
    "encode",
    "load",
    "needed",
    "step",
    "view_of",
]

# Where a public name lives.
_HOMES = {
    "Agent": "agents.base", "load": "agents.base",
    "decode": "codec", "encode": "codec",
    "Bug": "errors", "CallerFault": "errors", "IllegalEvent": "errors", "OffhookError": "errors",
    "PolicyError": "errors", "WorldFault": "errors",
    "needed": "explain",
    "Decision": "machine", "step": "machine",
    "AgentSpec": "policy", "Policy": "policy",
    "Answer": "proposals", "Asks": "proposals", "Grant": "proposals", "Kind": "proposals", "Proposal": "proposals",
    "Purpose": "proposals", "RuleResult": "proposals", "Verdict": "proposals",
    "Divergence": "replay", "Replay": "replay",
    "CallState": "state",
    "view_of": "view",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"offhook.policies has no public name {name!r}; there are {', '.join(__all__)}")
    return getattr(importlib.import_module(f".{home}", __name__), name)


def __dir__() -> list[str]:
    return __all__
