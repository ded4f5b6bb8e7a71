"""What the API and the webhooks know of their installation: addresses, media tokens. Policies are the director's."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request

from ..config.settings import MESSAGES, Settings
from ..contracts.carrier_choice import CarrierChoice
from ..gateway import tokens

CARRIERS = Settings().carrier_choices  # where nothing else is set


@dataclass(frozen=True, slots=True)
class PublicAddresses:
    """What the API must know of its installation. A replica that Serve starts anew needs nothing else."""

    secret: str = field(repr=False)
    media_port: int
    public_url: str = ""
    public_media_url: str = ""
    carriers: tuple[CarrierChoice, ...] = CARRIERS
    publish_key: str = field(default="", repr=False)  # bundles must be signed with it; empty = not asked for
    bundles_dir: str = ""  # where bundles are unpacked; empty = this installation takes none
    ring_s: float = 5.0
    queue_message: str = ""  # said to callers in the queue, or the URL of a recording
    sorry_message: str = MESSAGES["sorry"]  # ... to callers whose call cannot be taken or go on
    # ... to callers whom nobody took after a transfer, and whose call is over.
    unreached_message: str = MESSAGES["unreached"]
    language: str = ""  # of these messages: a BCP 47 tag

    def media_url(self, request: Request, carrier: str, call: str, media: Sequence[Any] = ()) -> str:
        """Where a carrier brings the audio of `call`, with a token that opens it once.

        Args:
            carrier: the name of the one whose protocol the stream speaks.
            media: the gateway's host and port, as the director tells them; "" = the host that the carrier used.
        """
        base = self.public_media_url.rstrip("/")
        if not base:
            host, port = media or ("", 0)
            host, port = host or request.url.hostname or "127.0.0.1", port or self.media_port
            base = f"ws://[{host}]:{port}" if ":" in host else f"ws://{host}:{port}"
        return f"{base}{tokens.MEDIA_PATH}/{carrier}/{tokens.issue(self.secret, call, time.time())}"

    def api_url(self, request: Request, path: str) -> str:
        """The address of `path` as the carrier reaches it."""
        base = self.public_url.rstrip("/") or str(request.base_url).rstrip("/")
        return f"{base}{path}"
