"""What the API and the webhooks know of their installation: policies, addresses, media tokens."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from offhook.actors.errors import UnknownPolicy

from . import tokens


@dataclass(frozen=True, slots=True)
class Door:
    """What the API must know of its installation. `policies` maps names to versions, in the order of their folders."""

    secret: str = field(repr=False)
    media_port: int
    policies: dict[str, str]
    default_policy: str
    public_url: str = ""
    public_media_url: str = ""
    twilio_auth_token: str = field(default="", repr=False)
    publish_key: str = field(default="", repr=False)  # bundles must be signed with it; empty = not asked for
    bundles_dir: str = ""  # where bundles are unpacked
    bundles: dict[str, str] = field(default_factory=dict)  # version -> folder, of every version that is offered
    ring_s: float = 5.0

    def version_of(self, name: str | None) -> str:
        """The version that new calls of a policy get; the name may be a version too.

        Raises:
            UnknownPolicy: the message names those that are published.
        """
        name = name or self.default_policy
        if name in self.policies:
            return self.policies[name]
        if name in self.policies.values() or name in self.bundles:
            return name
        raise UnknownPolicy(f"policy {name!r} is not published here; published: {', '.join(sorted(self.policies))}")

    def media_url(self, request: Request, call: str, media: Sequence[Any] = ()) -> str:
        """Where the carrier brings the audio of `call`, with a token that opens it once.

        Args:
            media: the gateway's host and port, as the director tells them; "" = the host that the carrier used.
        """
        base = self.public_media_url.rstrip("/")
        if not base:
            host, port = media or ("", 0)
            host, port = host or request.url.hostname or "127.0.0.1", port or self.media_port
            base = f"ws://[{host}]:{port}" if ":" in host else f"ws://{host}:{port}"
        return f"{base}{tokens.MEDIA_PATH}/{tokens.issue(self.secret, call, time.time())}"

    def api_url(self, request: Request, path: str) -> str:
        """The address of `path` as the carrier reaches it."""
        base = self.public_url.rstrip("/") or str(request.base_url).rstrip("/")
        return f"{base}{path}"
