"""Test an agent, or a whole policy, on virtual time: no Ray, no sound, no waiting. Public as `offhook.testing`.

    from offhook.testing import dialogue

    def test_a_call_back_is_booked():
        call = dialogue("front-desk")                     # a bundle's folder; the line is answered
        for words in ("I have a question about my bill", "yes please", "tomorrow at ten", "yes, that is right"):
            call.caller_says(words)
        call.assert_done("book_callback", time="tomorrow at 10")

Text goes in; what was said, done, denied and why comes out (`call.said`, `call.done`, `call.denied`,
`call.transcript()`). An assertion that fails prints the dialogue. One agent alone: `agent_dialogue(Guide, lines=...)`.
The conversation itself is `offhook.policies.testing`'s; here bundles are read from disk and their agents loaded.

What every plug-in has to hold to is in three modules beside it, which need pytest: `carrier_conformance`,
`engine_conformance`, `language_conformance`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from offhook.actors.agents.plain import as_plain
from offhook.actors.shadows.trial import agents_of
from offhook.policies.core.policy import AgentSpec, Policy
from offhook.policies.testing.dialogue import Dialogue, Proposer, Tool
from offhook.policies.testing.told import Denied, Done
from offhook.policies.testing.transcript import transcript
from offhook.serve.bundles.policy_files import load

__all__ = ["Denied", "Dialogue", "Done", "Proposer", "Tool", "agent_dialogue", "dialogue", "transcript"]

if "pytest" in sys.modules:  # so that an assertion which fails in a suite shows its values
    sys.modules["pytest"].register_assert_rewrite(
        *(f"{__name__}.{part}_conformance" for part in ("carrier", "engine", "language"))
    )


def dialogue(bundle: str | Path, *, tool: Tool | None = None, direction: str = "inbound", **sections: Any) -> Dialogue:
    """A call that was answered, led by the bundle in this folder, with its agents; what they say first was heard.

    Args:
        bundle: the folder with its `policy.yaml`.
        tool: what every tool does, `Perform -> (it worked, its words)`; None = it works.
        direction: "inbound" or "outbound".
        sections: of the policy, in place of the file's, e.g. `answering={"enabled": False}`.

    Raises:
        PolicyError: the bundle cannot be used; its message names file, line and field.
    """
    read = load(Path(bundle))
    policy = Policy.model_validate({**read.plain(), **sections}) if sections else read.policy
    return Dialogue(policy, agents_of(policy, str(read.path)), tool=tool, direction=direction).begins().heard_out()


def agent_dialogue(
    kind: type[Proposer],
    *,
    lines: dict[str, str] | None = None,
    options: dict[str, Any] | None = None,
    tool: Tool | None = None,
    direction: str = "inbound",
    **sections: Any,
) -> Dialogue:
    """A call that was answered, led by one agent of this class alone.

    Args:
        lines: the agent's lines, as a policy has them; `options` likewise.
        tool: see `dialogue`.
        sections: of its policy, e.g. `gate={"actions": {"book": {"irreversible": True}}}`.

    Raises:
        ValidationError: a section that no policy may have.
    """
    spec = AgentSpec(code=f"{kind.__module__}:{kind.__name__}", lines=lines or {}, options=options or {})
    policy = Policy.model_validate({"name": "test", "agents": {"agent": spec}, **sections})
    made: Any = kind
    return (
        Dialogue(policy, {"agent": as_plain(made("agent", spec))}, tool=tool, direction=direction).begins().heard_out()
    )
