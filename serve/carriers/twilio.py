"""Twilio Media Streams, both directions: text messages in, typed messages out, and back. Pure: no sockets, no clocks.

The carrier's side and the application's side speak the same words, so both are here: the gateway reads the carrier
and writes the application's messages, the softphone does it the other way round. Audio is mu-law, 8 kHz, mono.

Source: https://www.twilio.com/docs/voice/media-streams/websocket-messages. Numbers are strings on the wire
(`"sequenceNumber": "3"`). `sequenceNumber` starts at 1 with `start` and rises by one with every message of the carrier.
"""

from __future__ import annotations

import json
import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..errors import LineFault

NAME = "twilio"
SAMPLE_RATE_HZ = 8_000
FRAME_BYTES = 160  # 20 ms of mu-law at 8 kHz: what the carrier sends at a time
ENCODING = "audio/x-mulaw"
MESSAGE_BYTES_MAX = 64 << 10  # a media message has 400 bytes; 64 KiB is 6 s of audio in one message
MARK_NAME_BYTES_MAX = 256
DIGITS = frozenset("0123456789*#ABCD")

CLOSE_PROTOCOL = 1002
CLOSE_UNSUPPORTED = 1003
CLOSE_INVALID = 1007
CLOSE_POLICY = 1008
CLOSE_TOO_BIG = 1009

_STREAM = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


@dataclass(frozen=True, slots=True)
class Connected:
    """The first message of the carrier's socket."""

    protocol: str = "Call"
    version: str = "1.0.0"


@dataclass(frozen=True, slots=True)
class Start:
    """The stream begins; `parameters` are the `<Parameter>` elements of the TwiML."""

    stream: str
    call_sid: str
    sequence: int = 1
    account_sid: str = ""
    tracks: tuple[str, ...] = ("inbound",)
    parameters: Mapping[str, str] = field(default_factory=dict)


class Media(NamedTuple):  # not a dataclass: made 50 times a second and call, a tuple costs a third
    """Audio; from the carrier with its numbers (`timestamp_ms` since the stream began)."""

    audio: bytes
    sequence: int = 0
    chunk: int = 0
    timestamp_ms: int = 0


@dataclass(frozen=True, slots=True)
class Mark:
    """From the application: tell when everything before this was played. From the carrier: it was."""

    name: str
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Digit:
    """A key was pressed."""

    digit: str
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Stop:
    """The stream has ended: the caller hung up, or the call went on to something else."""

    sequence: int = 0
    call_sid: str = ""


@dataclass(frozen=True, slots=True)
class Clear:
    """From the application: drop what is buffered and not yet played (its marks come back at once)."""


FromCarrier = Connected | Start | Media | Mark | Digit | Stop
FromApplication = Media | Mark | Clear


# --- reading --------------------------------------------------------------------------------------------------------


# The carrier writes media messages always in this form; matching it costs a quarter of json.loads. Whatever looks
# different takes the slow way and is just as welcome.
_MEDIA = re.compile(
    rb'\{"event":"media","sequenceNumber":"(\d{1,12})","media":\{"track":"inbound","chunk":"(\d{1,12})",'
    rb'"timestamp":"(\d{1,12})","payload":"([^"]*)"\},"streamSid":"([^"]*)"\}\Z'
)


class CarrierReader:
    """Reads one socket of the carrier: each message is checked for form, order, sequence and stream.

    Raises LineFault from `read`; after that the socket is to be closed with its code and reason.
    """

    __slots__ = ("_connected", "_sequence", "_stopped", "_stream", "stream")

    def __init__(self) -> None:
        self._connected = False
        self._stopped = False
        self._sequence = 0  # of the last message; 0 = none numbered yet
        self._stream = b""
        self.stream = ""  # the carrier's stream id; empty before `start`

    def read(self, raw: bytes) -> FromCarrier:
        """One text message of the carrier."""
        match = _MEDIA.match(raw)
        if match is not None and match[5] == self._stream and not self._stopped:
            number, chunk, timestamp, payload = match.group(1, 2, 3, 4)
            sequence = int(number)
            if sequence != self._sequence + 1:
                self._follow(sequence)
            self._sequence = sequence
            try:
                return Media(a2b_base64(payload, strict_mode=True), sequence, int(chunk), int(timestamp))
            except Base64Error:
                raise _not_base64() from None
        return self._read_any(raw)

    def _read_any(self, raw: bytes) -> FromCarrier:
        message = _parse(raw)
        kind = _text(message, "event")
        if self._stopped:
            raise LineFault("order", f"{kind!r} after 'stop': nothing comes after it", CLOSE_PROTOCOL)
        if kind == "connected":
            return self._connected_message(message)
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
            self._follow(sequence)
        self._sequence = sequence or self._sequence
        self._stopped = kind == "stop"
        return reader(message, sequence)

    def _follow(self, sequence: int) -> None:
        """Numbers rise by one; a socket loses nothing, so a gap or a step back means a broken sender."""
        if self._sequence:
            wanted = self._sequence + 1
            raise LineFault("sequence", f"sequenceNumber {sequence}, expected {wanted}", CLOSE_PROTOCOL)

    def _connected_message(self, message: dict[str, Any]) -> Connected:
        if self._connected:
            raise LineFault("order", "'connected' twice", CLOSE_PROTOCOL)
        self._connected = True
        return Connected(str(message.get("protocol", "Call")), str(message.get("version", "1.0.0")))

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
            self._sequence,
            str(start.get("accountSid", "")),
            tuple(str(track) for track in start.get("tracks") or ("inbound",)),
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
        return _media(message, 0)
    if kind == "mark":
        return _mark(message, 0)
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
    """A number written as text (or plain); 0 = not there, which carriers alike to this one do with their numbers."""
    value = message.get(name)
    if value is None:
        return 0
    if isinstance(value, (int, str)) and not isinstance(value, bool):
        text = str(value)
        if text.isascii() and text.isdigit() and len(text) <= 12:
            return int(text)
    raise LineFault("sequence", f"{name} {str(value)[:24]!r} is not a whole number", CLOSE_PROTOCOL)


def _check_format(form: Any) -> None:
    if not isinstance(form, dict):
        raise LineFault("format", "'start' needs an object mediaFormat", CLOSE_UNSUPPORTED)
    actual = (form.get("encoding"), form.get("sampleRate"), form.get("channels"))
    if actual != (ENCODING, SAMPLE_RATE_HZ, 1):
        allowed = f"{ENCODING}, {SAMPLE_RATE_HZ} Hz, 1 channel"
        raise LineFault("format", f"media format {str(actual)[:60]} is not {allowed}", CLOSE_UNSUPPORTED)


def _not_base64() -> LineFault:
    return LineFault("format", "media.payload is not base64", CLOSE_UNSUPPORTED)


def _media(message: dict[str, Any], sequence: int) -> Media:
    media = _object(message, "media")
    payload = media.get("payload")
    if not isinstance(payload, str) or not payload.isascii():
        raise LineFault("format", "media.payload must be base64 text", CLOSE_UNSUPPORTED)
    try:
        audio = a2b_base64(payload, strict_mode=True)
    except Base64Error:
        raise _not_base64() from None
    return Media(audio, sequence, _number(media, "chunk"), _number(media, "timestamp"))


def _mark(message: dict[str, Any], sequence: int) -> Mark:
    name = _object(message, "mark").get("name")
    if not isinstance(name, str) or not name or len(name.encode()) > MARK_NAME_BYTES_MAX:
        raise LineFault("json", f"mark.name must be a text of 1 to {MARK_NAME_BYTES_MAX} bytes", CLOSE_INVALID)
    return Mark(name, sequence)


def _dtmf(message: dict[str, Any], sequence: int) -> Digit:
    digit = _object(message, "dtmf").get("digit")
    if not isinstance(digit, str) or digit not in DIGITS:
        raise LineFault("json", "dtmf.digit must be one of 0-9 * # A-D", CLOSE_INVALID)
    return Digit(digit, sequence)


def _stop(message: dict[str, Any], sequence: int) -> Stop:
    stop = message.get("stop")
    return Stop(sequence, str(stop.get("callSid", "")) if isinstance(stop, dict) else "")


_AFTER_START: dict[str, Callable[[dict[str, Any], int], FromCarrier]] = {
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
            "mediaFormat": {"encoding": ENCODING, "sampleRate": SAMPLE_RATE_HZ, "channels": 1},
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
