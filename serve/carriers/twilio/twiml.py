"""Twilio's webhooks: the TwiML that answers them, and the check that it was really Twilio who asked. Pure.

Sources: https://www.twilio.com/docs/voice/twiml/stream, .../twiml/redirect, .../twiml/dial, .../twiml/reject, and
https://www.twilio.com/docs/usage/security#validating-requests. Twilio strips query strings from stream URLs, so what a
stream must know stands in the URL's path.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

MEDIA_TYPE = "application/xml"
DIAL_S = 30  # that another number rings; then `action` is asked, or the next verb carried out
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def stream(media_url: str, resume_url: str) -> str:
    """Connect the caller's audio to `media_url`; when that stream ends, ask `resume_url` what to do with the caller."""
    connect = f"<Connect><Stream url={quoteattr(media_url)}/></Connect>"
    return _response(connect, f'<Redirect method="POST">{escape(resume_url)}</Redirect>')


def wait(pause_s: int, resume_url: str) -> str:
    """Be silent for a while, then ask `resume_url` again."""
    return _response(f'<Pause length="{pause_s}"/>', f'<Redirect method="POST">{escape(resume_url)}</Redirect>')


def hang_up() -> str:
    """The call is over."""
    return _response("<Hangup/>")


def apologize(message: str, language: str = "") -> str:
    """Say (or play, where it is a URL) why the call cannot go on, then hang up.

    `language`: of the voice, as Twilio knows it: a tag with its region ("nl-NL"); others leave Twilio its own choice.
    """
    return _response(_spoken(message, language), "<Hangup/>")


def dial(target: str, action_url: str = "", timeout_s: int = DIAL_S) -> str:
    """Connect the caller with `target`, a number; `action_url` is asked what follows, however that ends."""
    asked = f' action={quoteattr(action_url)} method="POST"' if action_url else ""
    return _response(f'<Dial{asked} timeout="{timeout_s}">{escape(target)}</Dial>')


def reject() -> str:
    """Do not answer: the caller hears a busy line and nobody pays; an overflow set up at the carrier takes over."""
    return _response('<Reject reason="busy"/>')


def queue(message: str, pause_s: int, again_url: str, language: str = "") -> str:
    """Say (or play, where it is a URL) a message, leave room for a slot to come free, then ask `again_url` again."""
    pause = f'<Pause length="{pause_s}"/>'
    return _response(_spoken(message, language), pause, f'<Redirect method="POST">{escape(again_url)}</Redirect>')


def signature(auth_token: str, url: str, form: Iterable[tuple[str, str]]) -> str:
    """What the header X-Twilio-Signature must hold for a POST of `form` to `url` (exactly as Twilio was given it)."""
    signed = url + "".join(name + value for name, value in sorted(form))
    return b64encode(hmac.new(auth_token.encode(), signed.encode(), "sha1").digest()).decode()


def _spoken(message: str, language: str) -> str:
    if message.startswith(("http://", "https://")):
        return f"<Play>{escape(message)}</Play>"
    voice = f" language={quoteattr(language)}" if "-" in language else ""
    return f"<Say{voice}>{escape(message)}</Say>"


def _response(*verbs: str) -> str:
    return f"{_HEAD}<Response>{''.join(verbs)}</Response>"
