"""WAV files: the one reader and the one writer. What is read stays in the file's own format; nothing is converted here.

Source of the layout: Microsoft, Multimedia Programming Interface 1.0 (RIFF), and RFC 2361 for the format codes.
"""

from __future__ import annotations

import struct

from ..contracts.errors import WrongSound
from .format import LINEAR16, MULAW, AudioFormat

_PCM, _MULAW, _EXTENSIBLE = 1, 7, 0xFFFE  # WAVE_FORMAT_PCM, WAVE_FORMAT_MULAW, WAVE_FORMAT_EXTENSIBLE
_ENCODINGS = {(_PCM, 16): LINEAR16, (_MULAW, 8): MULAW}
_CODES = {LINEAR16: (_PCM, 16), MULAW: (_MULAW, 8)}
_HEAD = "<4sI4s4sIHHIIHH4sI"
_HEAD_BYTES = struct.calcsize(_HEAD)
_SUBFORMAT_AT = 24  # in the "fmt " chunk of an extensible file: the code that a plain one has at its beginning


def read(raw: bytes) -> tuple[AudioFormat, bytes]:
    """A WAV file's format and its audio, whole samples; what a file that is cut off still has.

    Raises:
        WrongSound: it is no WAV file with sound, or neither 16-bit PCM nor mu-law; the message says what it is.
    """
    if raw[:4] != b"RIFF" or raw[8:12] != b"WAVE":
        raise WrongSound("not a WAV file" if raw else "not a WAV file: it is empty")
    form: AudioFormat | None = None
    place = 12
    while place + 8 <= len(raw):
        name, size = struct.unpack_from("<4sI", raw, place)
        body = raw[place + 8 : place + 8 + size]
        if name == b"fmt ":
            form = _format(body)
        elif name == b"data" and form is not None:
            return form, body[: len(body) - len(body) % form.step_bytes]
        place += 8 + size + size % 2
    raise WrongSound("not a WAV file with sound: it ends too early")


def write(form: AudioFormat, audio: bytes) -> bytes:
    """A WAV file with this audio."""
    code, bits = _CODES[form.encoding]
    head = struct.pack(
        _HEAD, b"RIFF", _HEAD_BYTES - 8 + len(audio) + len(audio) % 2, b"WAVE", b"fmt ", 16, code, form.channels,
        form.rate_hz, form.bytes_per_s, form.step_bytes, bits, b"data", len(audio),
    )  # fmt: skip
    return head + audio + b"\0" * (len(audio) % 2)


def _format(body: bytes) -> AudioFormat:
    if len(body) < 16:
        raise WrongSound("not a WAV file with sound: it does not say of which format")
    code, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if code == _EXTENSIBLE and len(body) >= _SUBFORMAT_AT + 2:
        (code,) = struct.unpack_from("<H", body, _SUBFORMAT_AT)
    encoding = _ENCODINGS.get((code, bits))
    if encoding is None:
        raise WrongSound(
            f"a WAV file of format {code}, {bits} bit, {channels} channels, {rate_hz} Hz; "
            f"taken are 16-bit PCM ({_PCM}) and 8-bit mu-law ({_MULAW})"
        )
    return AudioFormat(encoding, rate_hz, channels)
