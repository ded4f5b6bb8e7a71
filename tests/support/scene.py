"""Scenes for tests of the core: `offhook.policies.testing.scene` with a small policy of one agent, "booking"."""

from __future__ import annotations

from typing import Any

from offhook.policies.core.policy import AgentSpec, Policy
from offhook.policies.testing import scene
from offhook.policies.testing.scene import of, verdicts

__all__ = ["Scene", "of", "policy", "verdicts"]


def policy(**sections: Any) -> Policy:
    """A policy with one agent, "booking", and the sections given."""
    agents = {"booking": AgentSpec(code="offhook.policies.agents.booking:Booking")}
    return Policy(**{"name": "test", "agents": agents, **sections})


class Scene(scene.Scene):
    """A scene led by that policy, unless another is given."""

    def __init__(self, led_by: Policy | None = None) -> None:
        super().__init__(led_by or policy())
