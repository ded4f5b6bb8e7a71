"""The toy's media stream, both ends: binary messages are mu-law at 8 kHz as it is, text messages a JSON line each.

From the carrier: start, mark, key, stop. From the application: mark, clear, hangup, keys.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from offhook.serve.carriers.messages import (
    CLOSE_INVALID,
    CLOSE_PROTOCOL,
    KEYS,
    Clear,
    Digit,
    FromApplication,
    FromCarrier,
    HangUp,
    Mark,
    Media,
    Order,
    SendKeys,
    SocketMessage,
    Start,
    Stop,
)
from offhook.serve.carriers.port import LineFault


class ToyReader:
    """What the carrier sends on one socket."""

    gaps = 0  # it numbers nothing

    def __init__(self) -> None:
        self._state = "before start"

    def read(self, raw: bytes, binary: bool) -> FromCarrier:
        if self._state == "stopped":
            raise LineFault("order", "a message after 'stop'", CLOSE_PROTOCOL)
        message: dict[str, Any] = {"type": "audio"} if binary else parse(raw)
        kind = message["type"]
        if (kind == "start") is not (self._state == "before start"):
            raise LineFault("order", f"{kind!r} {self._state}", CLOSE_PROTOCOL)
        match kind:
            case "audio":
                return Media(raw)
            case "start":
                start = Start(text(message, "stream"), text(message, "call"), parameters=parameters(message))
                self._state = "started"
                return start
            case "mark":
                return Mark(text(message, "name"))
            case "key" if text(message, "key") in KEYS:
                return Digit(message["key"])
            case "stop":
                self._state = "stopped"
                return Stop()
        raise LineFault("json", f"no message of the carrier's: {kind[:40]!r}", CLOSE_PROTOCOL)


class ToyWriter:
    """What the application sends on one stream."""

    def media(self, audio: bytes) -> SocketMessage:
        return SocketMessage(audio, binary=True)

    def mark(self, name: str) -> SocketMessage:
        return line(type="mark", name=name)

    def clear(self) -> SocketMessage:
        return line(type="clear")

    def order(self, order: Order) -> tuple[SocketMessage, ...]:
        if isinstance(order, HangUp):
            return (line(type="hangup", reason=order.reason),)
        if isinstance(order, SendKeys):
            return (line(type="keys", keys=order.keys),)
        return ()  # a transfer: the end of the stream is enough, the webhook is asked then


class PlayedToyStream:
    """The carrier's end of one stream."""

    def __init__(self, name: str, call: str) -> None:
        self.name = name
        self._call = call

    def opening(self, parameters: Mapping[str, str]) -> tuple[SocketMessage, ...]:
        return (line(type="start", stream=self.name, call=self._call, parameters=dict(parameters)),)

    def media(self, audio: bytes) -> SocketMessage:
        return SocketMessage(audio, binary=True)

    def mark(self, name: str) -> SocketMessage:
        return line(type="mark", name=name)

    def digit(self, digit: str) -> SocketMessage:
        return line(type="key", key=digit)

    def closing(self) -> tuple[SocketMessage, ...]:
        return (line(type="stop"),)

    def read(self, raw: bytes, binary: bool) -> FromApplication:
        if binary:
            return Media(raw)
        message = parse(raw)
        match message["type"]:
            case "mark":
                return Mark(text(message, "name"))
            case "clear":
                return Clear()
            case "hangup":
                return HangUp(str(message.get("reason", "")))
            case "keys" if set(text(message, "keys")) <= KEYS:
                return SendKeys(message["keys"])
        raise LineFault("json", f"no message of an application's: {message['type'][:40]!r}", CLOSE_PROTOCOL)


def line(**fields: Any) -> SocketMessage:
    """One text message."""
    return SocketMessage(json.dumps(fields).encode() + b"\n")


def parse(raw: bytes) -> dict[str, Any]:
    """One text message, with a type. Raises: LineFault: it is none."""
    try:
        message = json.loads(raw)
    except (ValueError, RecursionError):
        raise LineFault("json", "a text message is not JSON", CLOSE_INVALID) from None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise LineFault("json", "a text message is an object with a text 'type'", CLOSE_INVALID)
    return message


def text(message: Mapping[str, Any], name: str) -> str:
    """A text field that must be there. Raises: LineFault: it is not."""
    value = message.get(name)
    if not isinstance(value, str) or not value:
        raise LineFault("json", f"{message['type']!r} needs a text {name!r}", CLOSE_INVALID)
    return value


def parameters(message: Mapping[str, Any]) -> dict[str, str]:
    """The parameters of a start. Raises: LineFault: they are no object."""
    found = message.get("parameters", {})
    if not isinstance(found, dict):
        raise LineFault("json", "'start' has parameters that are no object", CLOSE_INVALID)
    return {str(name): str(value) for name, value in found.items()}
