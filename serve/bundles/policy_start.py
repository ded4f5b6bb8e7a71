"""The bundle that `offhook policy init` writes: small, whole, and good as it stands."""

from __future__ import annotations

import re
from pathlib import Path

from offhook.policies.core.errors import CallerFault

_POLICY = """\
# A policy: the agents, and the thresholds by which they are let speak and act. What is not written here has its
# default; a value with a unit is written with it (3 s, 45 %, 200 cents).
name: {name}

agents:
  guide:
    code: agents/guide.py:Guide
    lines:
      greeting: Hello, this is the front desk. What can I do for you?
      answer: Let me see. May I have somebody call you back about that?
      goodbye: Thank you for calling. Goodbye.

gate:
  actions:
    say:greeting:
      times_max: 1

arbitration:
  deadline: 200 ms
"""
_AGENT = '''\
"""An agent of one's own: it greets, answers, and says goodbye. It keeps nothing between two calls of `propose`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offhook.policies.agents.base import Agent, ever, times
from offhook.policies.core.proposals import Asks, Proposal, Purpose


class Guide(Agent):
    """See the policy's lines for what it says."""

    topics = ()  # notices that it wants to hear of besides invitations; it needs none

    def propose(self, view: Mapping[str, Any], reason: str) -> list[Proposal]:
        """What it would say at this revision; the gate decides whether that is heard."""
        if reason == "answered":
            return [self.say(view, "greeting", Purpose.GREETING, Asks.OPEN, priority=0.9)]
        if ever(view, "goodbye") or times(view, "say:answer") >= 2:
            return [self.end(view, "goodbye", "goodbye", priority=0.8, reason="nothing is left to say")]
        if reason in ("turn_ended", "interrupted"):
            return [self.say(view, "answer", Purpose.ANSWER, Asks.YES_NO)]
        return []
'''


def write(folder: Path) -> list[str]:
    """Write it; returns the names of its files.

    Raises:
        CallerFault: something is there already, or the folder's name cannot be a policy's.
    """
    name = folder.resolve().name
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", name):
        raise CallerFault(f"{name!r} cannot be a policy's name: small letters, digits and dashes, 64 at most")
    if folder.exists() and any(folder.iterdir()):
        raise CallerFault(f"{folder}: there is something in it already")
    files = {"policy.yaml": _POLICY.format(name=name), "agents/guide.py": _AGENT}
    for file, text in files.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(files)
