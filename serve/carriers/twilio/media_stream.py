"""Twilio Media Streams, both directions: text messages in, typed messages out, and back. Pure: no sockets, no clocks.

The carrier's side and the application's side speak the same words, so both are here: the gateway reads the carrier
and writes the application's messages, the softphone does it the other way round. Audio is mu-law, 8 kHz, mono. How the
parts fit the port is `carrier.py`'s matter.

Source: https://www.twilio.com/docs/voice/media-streams/websocket-messages. Numbers are strings on the wire
(`"sequenceNumber": "3"`). `sequenceNumber` starts at 1 with `start` and rises by one with every message of the carrier.
"""

from __future__ import annotations

import json
import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping
from typing import Any

from offhook.actors.audio.format import TELEPHONE

from ...contracts.errors import LineFault
from ..messages import (
    CLOSE_INVALID,
    CLOSE_PROTOCOL,
    CLOSE_UNSUPPORTED,
    KEYS,
    Clear,
    Connected,
    Digit,
    FromApplication,
    FromCarrier,
    Mark,
    Media,
    Outbound,
    Start,
    Stop,
)

ENCODING = "audio/x-mulaw"  # how the carrier names the encoding of `TELEPHONE`
MARK_NAME_BYTES_MAX = 256
NUMBER_DIGITS_MAX = 12  # of a sequence number: 600 years of frames
CALLER_TRACKS = ("inbound", "inbound_track", None)  # media and keys name theirs differently, the only one needs no name
APPLICATION_TRACKS = ("outbound", "outbound_track")

_STREAM = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


# --- reading --------------------------------------------------------------------------------------------------------


# The carrier writes media messages always in this form; matching it costs a quarter of json.loads. Whatever looks
# different takes the slow way and is just as welcome.
_MEDIA = re.compile(
    rb'\{"event":"media","sequenceNumber":"(\d{1,12})","media":\{"track":"inbound","chunk":"\d{1,12}",'
    rb'"timestamp":"\d{1,12}","payload":"([^"]*)"\},"streamSid":"([^"]*)"\}\Z'
)


class CarrierReader:
    """Reads one socket of the carrier: each message is checked for form, order and stream.

    Raises LineFault from `read`; the reader can read on behind it. Numbers that do not follow are counted in `gaps` and
    cost nothing else: a socket loses no message, so it was the carrier who miscounted.
    """

    __slots__ = ("_connected", "_sequence", "_stopped", "_stream", "gaps", "stream")

    def __init__(self) -> None:
        self._connected = False
        self._stopped = False
        self.gaps = 0  # steps in the numbering that were not by one
        self._sequence = 0  # of the last message; 0 = none numbered yet
        self._stream = b""
        self.stream = ""  # the carrier's stream id; empty before `start`

    def read(self, raw: bytes, binary: bool = False) -> FromCarrier:
        """One message of the carrier; it sends no binary ones."""
        if binary:
            raise LineFault("json", "binary message; messages are JSON text", CLOSE_UNSUPPORTED)
        match = _MEDIA.match(raw)
        if match is not None and match[3] == self._stream and not self._stopped:
            sequence = int(match[1])
            if sequence != self._sequence + 1:
                self._miscounted()
            self._sequence = sequence
            try:
                return Media(a2b_base64(match[2], strict_mode=True))
            except Base64Error:
                raise _not_base64() from None
        return self._read_any(raw)

    def _read_any(self, raw: bytes) -> FromCarrier:
        message = _parse(raw)
        kind = _text(message, "event")
        if self._stopped:
            raise LineFault("order", f"{kind!r} after 'stop': nothing comes after it", CLOSE_PROTOCOL)
        if kind == "connected":
            return self._connected_message()
        if not self._connected:
            raise LineFault("order", f"{kind!r} before 'connected': it is the first message", CLOSE_PROTOCOL)
        if kind == "start":
            return self._start(message)
        reader = _AFTER_START.get(kind)
        if reader is None:
            allowed = "connected, start, " + ", ".join(_AFTER_START)
            raise LineFault("json", f"unknown event {kind[:32]!r}; allowed: {allowed}", CLOSE_PROTOCOL)
        if not self._stream:
            raise LineFault("order", f"{kind!r} before 'start'", CLOSE_PROTOCOL)
        stream = message.get("streamSid")
        if stream is not None and stream != self.stream:
            raise LineFault("order", f"streamSid {str(stream)[:40]!r} is not the one that started", CLOSE_PROTOCOL)
        sequence = _number(message, "sequenceNumber")
        if sequence and sequence != self._sequence + 1:
            self._miscounted()
        self._sequence = sequence or self._sequence
        read = reader(message)
        self._stopped = kind == "stop"
        return read

    def _miscounted(self) -> None:
        if self._sequence:  # else the first number of all, wherever it begins
            self.gaps += 1

    def _connected_message(self) -> Connected:
        if self._connected:
            raise LineFault("order", "'connected' twice", CLOSE_PROTOCOL)
        self._connected = True
        return Connected()

    def _start(self, message: dict[str, Any]) -> Start:
        if self._stream:
            raise LineFault("order", "'start' twice", CLOSE_PROTOCOL)
        start = message.get("start")
        if not isinstance(start, dict):
            raise LineFault("json", "'start' needs an object 'start'", CLOSE_INVALID)
        _check_format(start.get("mediaFormat"))
        stream = message.get("streamSid") or start.get("streamSid")
        if not isinstance(stream, str) or _STREAM.match(stream) is None:
            raise LineFault("json", "'start' needs a streamSid of 1 to 64 letters, digits, _ or -", CLOSE_INVALID)
        parameters = start.get("customParameters") or {}
        if not isinstance(parameters, dict):
            raise LineFault("json", "customParameters must be an object", CLOSE_INVALID)
        self._sequence = _number(message, "sequenceNumber")
        self.stream, self._stream = stream, stream.encode()
        return Start(
            stream,
            str(start.get("callSid", "")),
            {str(name): str(value) for name, value in parameters.items()},
        )


def read_application(raw: bytes) -> FromApplication:
    """One text message of the application, as the carrier (or the softphone in its place) gets it.

    Raises:
        LineFault: not a message that an application may send.
    """
    message = _parse(raw)
    kind = _text(message, "event")
    if kind == "media":
        return Media(_audio(_object(message, "media")))
    if kind == "mark":
        return _mark(message)
    if kind == "clear":
        return Clear()
    raise LineFault("json", f"unknown event {kind[:32]!r}; allowed: media, mark, clear", CLOSE_PROTOCOL)


def _parse(raw: bytes) -> dict[str, Any]:
    try:
        message = json.loads(raw)
    except (ValueError, RecursionError):
        raise LineFault("json", "a message is not JSON", CLOSE_INVALID) from None
    if not isinstance(message, dict):
        raise LineFault("json", "a message must be a JSON object", CLOSE_INVALID)
    return message


def _text(message: dict[str, Any], name: str) -> str:
    value = message.get(name)
    if not isinstance(value, str) or not value:
        raise LineFault("json", f"a message needs a text field {name!r}", CLOSE_INVALID)
    return value


def _object(message: dict[str, Any], name: str) -> dict[str, Any]:
    value = message.get(name)
    if not isinstance(value, dict):
        raise LineFault("json", f"a {name!r} message needs an object {name!r}", CLOSE_INVALID)
    return value


def _number(message: dict[str, Any], name: str) -> int:
    """A number written as text (or plain); 0 = not there, or none: nothing here rests on a number."""
    value = message.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value < 10**NUMBER_DIGITS_MAX else 0
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= NUMBER_DIGITS_MAX:
        return int(value)
    return 0


def _check_format(form: Any) -> None:
    if not isinstance(form, dict):
        raise LineFault("format", "'start' needs an object mediaFormat", CLOSE_UNSUPPORTED)
    actual = (form.get("encoding"), form.get("sampleRate"), form.get("channels"))
    if actual != (ENCODING, TELEPHONE.rate_hz, TELEPHONE.channels):
        allowed = f"{ENCODING}, {TELEPHONE.rate_hz} Hz, 1 channel"
        raise LineFault("format", f"media format {str(actual)[:60]} is not {allowed}", CLOSE_UNSUPPORTED)


def _not_base64() -> LineFault:
    return LineFault("format", "media.payload is not base64", CLOSE_UNSUPPORTED)


def _media(message: dict[str, Any]) -> Media | Outbound:
    media = _object(message, "media")
    if not _of_caller(media):
        return Outbound()
    return Media(_audio(media))


def _audio(media: dict[str, Any]) -> bytes:
    payload = media.get("payload")
    if not isinstance(payload, str) or not payload.isascii():
        raise LineFault("format", "media.payload must be base64 text", CLOSE_UNSUPPORTED)
    try:
        return a2b_base64(payload, strict_mode=True)
    except Base64Error:
        raise _not_base64() from None


def _of_caller(body: dict[str, Any]) -> bool:
    track = body.get("track")
    if track in CALLER_TRACKS:
        return True
    if track in APPLICATION_TRACKS:
        return False
    raise LineFault("format", "a track is 'inbound' or 'outbound'", CLOSE_UNSUPPORTED)


def _mark(message: dict[str, Any]) -> Mark:
    name = _object(message, "mark").get("name")
    if not isinstance(name, str) or not 0 < _bytes_in(name) <= MARK_NAME_BYTES_MAX:
        raise LineFault("json", f"mark.name must be a text of 1 to {MARK_NAME_BYTES_MAX} bytes", CLOSE_INVALID)
    return Mark(name)


def _bytes_in(text: str) -> int:
    """Its length in UTF-8; 0 where there is none: JSON can write halves of characters."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return 0


def _dtmf(message: dict[str, Any]) -> Digit | Outbound:
    dtmf = _object(message, "dtmf")
    if not _of_caller(dtmf):
        return Outbound()
    digit = dtmf.get("digit")
    if not isinstance(digit, str) or digit.upper() not in KEYS:
        raise LineFault("json", "dtmf.digit must be one of 0-9 * # A-D", CLOSE_INVALID)
    return Digit(digit.upper())


def _stop(_message: dict[str, Any]) -> Stop:
    return Stop()


_AFTER_START: dict[str, Callable[[dict[str, Any]], FromCarrier]] = {
    "media": _media,
    "mark": _mark,
    "dtmf": _dtmf,
    "stop": _stop,
}


# --- writing: the application's side ----------------------------------------------------------------------------------


class ApplicationWriter:
    """Writes what the application may send on one stream; the fixed parts are made once."""

    __slots__ = ("_clear", "_mark", "_media")

    def __init__(self, stream: str) -> None:
        sid = json.dumps(stream).encode()
        self._media = b'{"event":"media","streamSid":%b,"media":{"payload":"' % sid
        self._mark = b'{"event":"mark","streamSid":%b,"mark":{"name":' % sid
        self._clear = b'{"event":"clear","streamSid":%b}' % sid

    def media(self, audio: bytes) -> bytes:
        """Play `audio` (mu-law) after what is already buffered."""
        return b'%b%b"}}' % (self._media, b2a_base64(audio, newline=False))

    def mark(self, name: str) -> bytes:
        """Tell when everything before it was played."""
        return b"%b%b}}" % (self._mark, json.dumps(name).encode())

    def clear(self) -> bytes:
        """Drop what is buffered."""
        return self._clear


# --- writing: the carrier's side ------------------------------------------------------------------------------------


class CarrierWriter:
    """Writes what the carrier sends on one stream, and counts its sequence numbers and chunks."""

    def __init__(self, stream: str, call_sid: str, account_sid: str = "AC" + "0" * 32) -> None:
        self.stream = stream
        self.call_sid = call_sid
        self.account_sid = account_sid
        self.sequence = 0  # of the last message
        self.chunk = 0  # of the last media message

    def connected(self) -> bytes:
        return b'{"event":"connected","protocol":"Call","version":"1.0.0"}'

    def start(self, parameters: Mapping[str, str] | None = None) -> bytes:
        start = {
            "accountSid": self.account_sid,
            "streamSid": self.stream,
            "callSid": self.call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {
                "encoding": ENCODING,
                "sampleRate": TELEPHONE.rate_hz,
                "channels": TELEPHONE.channels,
            },
            "customParameters": dict(parameters or {}),
        }
        return self._numbered("start", start)

    def media(self, audio: bytes) -> bytes:
        """One frame of the caller's voice; its timestamp follows from its chunk number (20 ms each)."""
        self.sequence += 1
        self.chunk += 1
        return (
            b'{"event":"media","sequenceNumber":"%d","media":{"track":"inbound","chunk":"%d","timestamp":"%d",'
            b'"payload":"%b"},"streamSid":"%b"}'
            % (
                self.sequence,
                self.chunk,
                (self.chunk - 1) * 20,
                b2a_base64(audio, newline=False),
                self.stream.encode(),
            )
        )

    def mark(self, name: str) -> bytes:
        """Everything before the application's mark `name` was played (or cleared)."""
        return self._numbered("mark", {"name": name})

    def dtmf(self, digit: str) -> bytes:
        return self._numbered("dtmf", {"track": "inbound_track", "digit": digit})

    def stop(self) -> bytes:
        return self._numbered("stop", {"accountSid": self.account_sid, "callSid": self.call_sid})

    def _numbered(self, kind: str, body: dict[str, Any]) -> bytes:
        self.sequence += 1
        message = {"event": kind, "sequenceNumber": str(self.sequence), kind: body, "streamSid": self.stream}
        return json.dumps(message, separators=(",", ":")).encode()
