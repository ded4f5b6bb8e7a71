"""Media tokens: the signed, one-time right to bring one call's audio. Pure: the time is handed in.

A token goes into the path of the media URL, because carriers strip query strings from it:
`CALL.EXPIRES.NONCE.SIGNATURE`, each part safe in a URL. The signature is HMAC-SHA256 over the rest, cut to 128 bits.
Who issues and who verifies share the secret; "one-time" is kept by the verifier, until the token has expired anyway.
"""

from __future__ import annotations

import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from hashlib import sha256

from ..contracts.errors import TokenFault

MEDIA_PATH = "/media"  # a socket opens MEDIA_PATH[/CARRIER]/TOKEN, or without TOKEN, which its `start` has then
LIFETIME_S = 60  # a carrier opens the stream within a second of the webhook's answer; retries take a few more
USED_MAX = 100_000  # nonces remembered; 1,600 calls a second would fill it within a lifetime
TOKEN_CHARS_MAX = 160
SECRET_BYTES = 32

_CALL = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


def new_secret() -> str:
    """A secret for one installation; whoever knows it can issue tokens."""
    return secrets.token_urlsafe(SECRET_BYTES)


def valid_call_id(call: str) -> bool:
    """Whether `call` can be a call's id: 1 to 64 letters, digits, _ or -."""
    return _CALL.match(call) is not None


def issue(secret: str, call: str, now_s: float, lifetime_s: int = LIFETIME_S) -> str:
    """A token for `call`, good for one stream until `now_s + lifetime_s` (Unix time)."""
    if not valid_call_id(call):
        raise TokenFault(f"call id {call[:70]!r}: 1 to 64 letters, digits, _ or -")
    body = f"{call}.{int(now_s) + lifetime_s}.{secrets.token_urlsafe(9)}"
    return f"{body}.{_sign(secret, body)}"


class TokenVerifier:
    """Says which call a token stands for, once."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._used: dict[str, int] = {}  # token body -> expiry, oldest first

    def redeem(self, token: str, now_s: float) -> str:
        """The call id of `token`; the same token is refused from now on.

        Raises:
            TokenFault: forged, damaged, expired or used.
        """
        body, _, signature = token.rpartition(".")
        parts = body.split(".")
        told = len(token) <= TOKEN_CHARS_MAX and token.isascii() and len(parts) == 3
        if not told or not parts[1].isdecimal():
            raise TokenFault("this is not a media token")
        if not hmac.compare_digest(signature.encode(), _sign(self._secret, body).encode()):
            raise TokenFault("the media token's signature is wrong")
        expires_s = int(parts[1])
        if now_s > expires_s:
            raise TokenFault(f"the media token expired {now_s - expires_s:.0f} s ago")
        if body in self._used:
            raise TokenFault("the media token was used before; each one opens one stream")
        self._forget(now_s)
        self._used[body] = expires_s
        return parts[0]

    def _forget(self, now_s: float) -> None:
        for body in list(self._used)[:2]:  # two out for one in keeps the table at the tokens still alive
            if self._used[body] < now_s:
                del self._used[body]
        if len(self._used) >= USED_MAX:
            self._used.pop(next(iter(self._used)))


def _sign(secret: str, body: str) -> str:
    digest = hmac.new(secret.encode(), body.encode(), sha256).digest()[:16]
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
