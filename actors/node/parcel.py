"""A bundle on its way: a folder as one string of bytes, the same for the same contents, signed where a key is set.

A cluster's nodes share no disk, so a bundle is published as a parcel and each node unpacks it under the parcel's own
digest, once. Unpacking writes plain files inside of one folder and nothing else; nothing of a bundle is run here.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import shutil
import time
import zlib
from pathlib import Path, PurePosixPath

import msgpack
from offhook.policies.errors import CallerFault, PolicyError

FILES_MAX = 1_000
BYTES_MAX = 32 << 20  # unpacked: clips are the most of it
PARCEL_BYTES_MAX = 16 << 20
NAME_CHARS_MAX = 200


def files_of(folder: Path) -> dict[str, Path]:
    """A bundle's files by their names in it, sorted; what is hidden, and what Python has compiled, is no part of it.

    Raises:
        PolicyError: too many, too large in all, or a link.
    """
    found: dict[str, Path] = {}
    size = 0
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if any(part.startswith(".") or part == "__pycache__" for part in name.parts):
            continue
        if path.is_symlink():
            raise PolicyError(f"{path}: a bundle holds no links; copy the file into it")
        if path.is_file():
            found[name.as_posix()] = path
            size += path.stat().st_size
    if len(found) > FILES_MAX:
        raise PolicyError(f"{folder}: {len(found)} files; a bundle has {FILES_MAX} at most")
    if size > BYTES_MAX:
        raise PolicyError(f"{folder}: {size} bytes; a bundle has {BYTES_MAX} at most")
    return found


def pack(folder: Path) -> bytes:
    """Raises:
    PolicyError: the folder is over a bundle's limits.
    """
    contents = [[name, path.read_bytes()] for name, path in files_of(folder).items()]
    parcel = zlib.compress(msgpack.packb(contents), 9)
    if len(parcel) > PARCEL_BYTES_MAX:
        raise PolicyError(f"{folder}: packed it has {len(parcel)} bytes; {PARCEL_BYTES_MAX} are allowed")
    return parcel


def unpack(parcel: bytes, under: Path) -> Path:
    """Unpack into a folder of its own under `under`, named by the parcel's digest; what is there already stays.

    Raises:
        PolicyError: not a parcel, over the limits, or with a name that leads out of it.
    """
    kept = under / hashlib.sha256(parcel).hexdigest()[:24]
    if kept.is_dir():
        return kept
    contents = _contents(parcel)
    fresh = under / f".{kept.name}.{os.getpid()}.{time.time_ns()}"
    try:
        for name, body in contents:
            path = fresh / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        with contextlib.suppress(OSError):  # another process was faster: the contents are the same
            fresh.rename(kept)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return kept


def _contents(parcel: bytes) -> list[tuple[str, bytes]]:
    try:
        if len(parcel) > PARCEL_BYTES_MAX:
            raise ValueError(f"{len(parcel)} bytes")
        inflating = zlib.decompressobj()
        raw = inflating.decompress(parcel, BYTES_MAX + FILES_MAX * (NAME_CHARS_MAX + 16))
        if not inflating.eof:
            raise ValueError("longer than a bundle may be, or cut short")
        contents = msgpack.unpackb(raw)
        if not isinstance(contents, list) or not 0 < len(contents) <= FILES_MAX:
            raise ValueError("no list of files")
        return [(_inside(name), bytes(body)) for name, body in contents]
    except (ValueError, TypeError, zlib.error, msgpack.UnpackException) as error:
        raise PolicyError(f"not a bundle's parcel: {error}") from error


def _inside(name: object) -> str:
    path = PurePosixPath(name) if isinstance(name, str) and name.isprintable() else PurePosixPath("/")
    if path.is_absolute() or not path.parts or len(str(path)) > NAME_CHARS_MAX or "\\" in str(path):
        raise ValueError(f"a file named {name!r:.60}")
    if any(part.startswith(".") for part in path.parts):
        raise ValueError(f"a file named {name!r:.60}")
    return str(path)


def sign(key: str, version: str, parcel: bytes) -> str:
    """The publisher's word that this parcel is this version: HMAC-SHA-256 (RFC 2104), hex digits."""
    return hmac.new(key.encode(), b"offhook bundle\n" + version.encode() + b"\n" + parcel, hashlib.sha256).hexdigest()


def check_signature(key: str, version: str, parcel: bytes, signature: str) -> None:
    """Raises:
    CallerFault: the parcel was not signed with this key.
    """
    if not hmac.compare_digest(sign(key, version, parcel), signature):
        raise CallerFault("the bundle's signature is not of this cluster's publish key; set OFFHOOK_PUBLISH_KEY")
