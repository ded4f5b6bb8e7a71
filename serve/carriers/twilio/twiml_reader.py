"""Reads the TwiML that answers a webhook, as the carrier does: which verbs, in which order. Nothing is done here.

Only the verbs that offhook answers with are known; any other is a fault, because a caller would hear an error. Pure.
Source: https://www.twilio.com/docs/voice/twiml
"""

from __future__ import annotations

from xml.etree import ElementTree

from ...contracts.errors import LineFault
from ..webhook import DIAL_S, PAUSE_S_MAX, Connect, Dial, Hangup, Pause, Redirect, Say, Step, Steps

TWIML_BYTES_MAX = 64 << 10  # https://www.twilio.com/docs/api/errors/11750


def read(text: str) -> Steps:
    """The verbs of one answer as steps, in order.

    Raises:
        LineFault: not TwiML, too long, or with a verb that is not known here.
    """
    if len(text.encode()) > TWIML_BYTES_MAX or "<!DOCTYPE" in text:  # no entities: they could grow without end
        raise LineFault("twiml", f"over {TWIML_BYTES_MAX} bytes, or with a document type")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise LineFault("twiml", f"no XML: {error}") from error
    if root.tag != "Response":
        raise LineFault("twiml", f"a webhook's answer is a <Response>, not <{root.tag[:40]}>")
    return tuple(_verb(element) for element in root)


def _verb(element: ElementTree.Element) -> Step:
    text = (element.text or "").strip()
    match element.tag:
        case "Connect":
            stream = element.find("Stream")
            url = stream.get("url", "") if stream is not None else ""
            if not url.startswith(("ws://", "wss://")):
                raise LineFault("twiml", f"<Connect> needs a <Stream> with a ws:// or wss:// url, not {url[:80]!r}")
            return Connect(url)
        case "Redirect" if text.startswith(("http://", "https://")):
            return Redirect(text)
        case "Pause":
            length = element.get("length", "1")
            if not length.isdecimal() or int(length) > PAUSE_S_MAX:
                raise LineFault("twiml", f"<Pause length={length[:20]!r}> is not 0 to {PAUSE_S_MAX} seconds")
            return Pause(int(length))
        case "Dial" if text:
            action = element.get("action", "")
            if action and not action.startswith(("http://", "https://")):
                raise LineFault("twiml", f"<Dial action={action[:80]!r}> is no http:// or https:// url")
            rings = element.get("timeout", "")
            return Dial(text, action, int(rings) if rings.isdecimal() and len(rings) <= 4 else DIAL_S)
        case "Say" if text:
            return Say(text, element.get("language", ""))
        case "Play" if text.startswith(("http://", "https://")):
            return Say(text)
        case "Hangup":
            return Hangup()
        case "Reject":
            return Hangup(busy=True)
    raise LineFault("twiml", f"<{element.tag[:40]}>{text[:40]} cannot be carried out here")
