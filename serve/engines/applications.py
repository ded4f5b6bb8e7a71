"""The engines as applications that a Serve config can name: `serve deploy cluster/deploy/serve.yaml`.

No secret is in the config: each replica makes its own token and hands it over, with its address, to the director.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from ray import serve

from . import deployments


class EngineArgs(BaseModel):
    """`engine`: the name of its entry point (`serve/config/plug_ins.py`), `options`: its own.

    `port`: on the address of a replica's node, for calls on other machines; 0 = any free one. A fixed port, where a
    firewall wants one, allows one replica a node (`max_replicas_per_node: 1`). `drain_s`: how long one that Serve stops
    goes on for the calls that it has; graceful_shutdown_timeout_s has to be above it."""

    model_config = ConfigDict(extra="forbid")

    engine: str
    options: dict[str, str] = Field(default_factory=dict)
    port: int = Field(0, ge=0, le=65_535)
    drain_s: float = Field(0.0, ge=0.0, le=86_400.0)


class RecognizerArgs(EngineArgs):
    """The stock one is moonshine."""

    engine: str = "moonshine"


class SynthesizerArgs(EngineArgs):
    """The stock one is piper."""

    engine: str = "piper"


def recognizer(args: RecognizerArgs) -> serve.Application:
    """The recognizer."""
    return deployments.recognizer(args.engine, args.options, port=args.port, drain_s=args.drain_s)


def synthesizer(args: SynthesizerArgs) -> serve.Application:
    """The synthesizer."""
    return deployments.synthesizer(args.engine, args.options, port=args.port, drain_s=args.drain_s)
