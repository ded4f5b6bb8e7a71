"""The engines as applications that a Serve config can name: `serve deploy cluster/deploy/serve.yaml`.

The token is read from a file (a mounted secret): a Serve config is kept in the cluster in plain text.
"""

from __future__ import annotations

from pathlib import Path

from offhook.policies.errors import CallerFault
from pydantic import BaseModel, ConfigDict, Field
from ray import serve

from . import deployments


class RecognizerArgs(BaseModel):
    """`endpoint`: tcp:host:port, where calls on every node find it; `token_file`: what they must present."""

    model_config = ConfigDict(extra="forbid")

    endpoint: str = Field(pattern=r"^tcp:.+:\d+$")
    token_file: str


class SynthesizerArgs(RecognizerArgs):
    """Also `programs`: how many texts are spoken at once, and `voice`: a voice file; empty = the stock one."""

    programs: int = Field(1, ge=1, le=64)
    voice: str = ""


def recognizer(args: RecognizerArgs) -> serve.Application:
    """The recognizer. Raises: CallerFault: its token cannot be read."""
    return deployments.recognizer(endpoint=args.endpoint, token=_token(args.token_file))


def synthesizer(args: SynthesizerArgs) -> serve.Application:
    """The synthesizer. Raises: CallerFault: its token cannot be read."""
    options = {"programs": args.programs, "voice": args.voice}
    return deployments.synthesizer(endpoint=args.endpoint, token=_token(args.token_file), **options)


def _token(file: str) -> str:
    try:
        token = Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise CallerFault(f"token_file {file}: {error.strerror}; mount the secret there") from None
    if not token:
        raise CallerFault(f"token_file {file} is empty")
    return token
