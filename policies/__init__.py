"""The core of offhook: it decides, purely, and does nothing else.

    decision = step(state, event, policy)        # Decision(state, commands)

One event in, a new state and the effects to carry out. Time is an input, timers are data, nothing here reads a clock, a
file or a socket; so a whole call can be replayed, and ten thousand simulated, with this folder alone. Start reading at
`conversation/machine.py`, which is the table of who hears of what; each subject then has a file of its own name.

What is named here is the public surface, with the modules `events`, `commands`, `state`, `replay` and `explain`: an
embedding program needs nothing else. Names are loaded on first use, so that a process which needs only an error class
does not pay for the rules.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .agents.base import Agent, load
    from .conversation.machine import Decision, step
    from .conversation.view import view_of
    from .core.codec import decode, encode
    from .core.errors import Bug, CallerFault, IllegalEvent, OffhookError, PolicyError, WorldFault
    from .core.policy import AgentSpec, Policy
    from .core.proposals import Answer, Asks, Grant, Kind, Proposal, Purpose, RuleResult, Verdict
    from .core.state import CallState
    from .replay.explain import needed
    from .replay.replay import Divergence, Replay

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
    "decode": "core.codec", "encode": "core.codec",
    "Bug": "core.errors", "CallerFault": "core.errors", "IllegalEvent": "core.errors", "OffhookError": "core.errors",
    "PolicyError": "core.errors", "WorldFault": "core.errors",
    "needed": "replay.explain",
    "Decision": "conversation.machine", "step": "conversation.machine",
    "AgentSpec": "core.policy", "Policy": "core.policy",
    "Answer": "core.proposals", "Asks": "core.proposals", "Grant": "core.proposals", "Kind": "core.proposals",
    "Proposal": "core.proposals", "Purpose": "core.proposals", "RuleResult": "core.proposals",
    "Verdict": "core.proposals",
    "Divergence": "replay.replay", "Replay": "replay.replay",
    "CallState": "core.state",
    "view_of": "conversation.view",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"offhook.policies has no public name {name!r}; there are {', '.join(__all__)}")
    return getattr(importlib.import_module(f".{home}", __name__), name)


def __dir__() -> list[str]:
    return __all__
