"""The engines as applications that a Serve config can name: `serve deploy cluster/deploy/serve.yaml`.

No secret is in the config: each replica makes its own token and hands it over, with its address, to the director.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from ray import serve

from . import deployments


class RecognizerArgs(BaseModel):
    """`port`: on the address of a replica's node, for calls on other machines; 0 = any free one. A fixed port, where a
    firewall wants one, allows one replica a node (`max_replicas_per_node: 1`)."""

    model_config = ConfigDict(extra="forbid")

    port: int = Field(0, ge=0, le=65_535)


class SynthesizerArgs(RecognizerArgs):
    """Also `programs`: how many texts are spoken at once, and `voice`: a voice file; empty = the stock one."""

    programs: int = Field(1, ge=1, le=64)
    voice: str = ""


def recognizer(args: RecognizerArgs) -> serve.Application:
    """The recognizer."""
    return deployments.recognizer(port=args.port)


def synthesizer(args: SynthesizerArgs) -> serve.Application:
    """The synthesizer."""
    return deployments.synthesizer(port=args.port, programs=args.programs, voice=args.voice)
