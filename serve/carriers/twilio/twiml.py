"""TwiML: the steps of a webhook's answer in Twilio's form, and the signature of its requests. Pure.

Sources: https://www.twilio.com/docs/voice/twiml/stream, .../twiml/redirect, .../twiml/dial, .../twiml/reject, and
https://www.twilio.com/docs/usage/security#validating-requests. Twilio strips query strings from stream URLs, so what a
stream must know stands in the URL's path.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

from ..webhook import Connect, Dial, Hangup, Pause, Redirect, Say, Step, Steps

MEDIA_TYPE = "application/xml"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def write(steps: Steps) -> str:
    """The answer that has Twilio carry out these steps, one verb each."""
    return f"{_HEAD}<Response>{''.join(map(_verb, steps))}</Response>"


def signature(auth_token: str, url: str, form: Iterable[tuple[str, str]]) -> str:
    """What the header X-Twilio-Signature must hold for a POST of `form` to `url` (exactly as Twilio was given it)."""
    signed = url + "".join(name + value for name, value in sorted(form))
    return b64encode(hmac.new(auth_token.encode(), signed.encode(errors="replace"), "sha1").digest()).decode()


def _verb(step: Step) -> str:
    match step:
        case Connect(media_url):
            return f"<Connect><Stream url={quoteattr(media_url)}/></Connect>"
        case Redirect(url):
            return f'<Redirect method="POST">{escape(url)}</Redirect>'
        case Pause(seconds):
            return f'<Pause length="{seconds}"/>'
        case Say(text) if text.startswith(("http://", "https://")):
            return f"<Play>{escape(text)}</Play>"
        case Say(text, language):  # Twilio knows languages with their region ("nl-NL"), and none without
            voice = f" language={quoteattr(language)}" if "-" in language else ""
            return f"<Say{voice}>{escape(text)}</Say>"
        case Dial(target, action, timeout_s):
            asked = f' action={quoteattr(action)} method="POST"' if action else ""
            return f'<Dial{asked} timeout="{timeout_s}">{escape(target)}</Dial>'
        case Hangup(busy):
            return '<Reject reason="busy"/>' if busy else "<Hangup/>"
