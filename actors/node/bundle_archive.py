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
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import msgpack
from offhook.policies.core.errors import CallerFault, PolicyError

FILES_MAX = 1_000
BYTES_MAX = 32 << 20  # unpacked: clips are the most of it
PARCEL_BYTES_MAX = 16 << 20
NAME_CHARS_MAX = 200
PART_BYTES_MAX = 255  # of a name, between two slashes: what file systems take


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
        PolicyError: not a parcel, over the limits, or with names that lead out of it or stand in each other's way.
    """
    kept = folder_of(parcel, under)
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


@contextlib.contextmanager
def unpacked(parcel: bytes, under: Path) -> Iterator[Path]:
    """As `unpack`; where what is done with the folder fails, a folder that was made for it goes again."""
    known = folder_of(parcel, under).is_dir()
    folder = unpack(parcel, under)
    try:
        yield folder
    except BaseException:
        if not known:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def folder_of(parcel: bytes, under: Path) -> Path:
    """Where a parcel is unpacked, whether or not it is there yet."""
    return under / hashlib.sha256(parcel).hexdigest()[:24]


def _contents(parcel: bytes) -> list[tuple[str, bytes]]:
    """The files of a parcel, all of it checked before any of them is written.

    Raises:
        PolicyError: see `unpack`.
    """
    try:
        if len(parcel) > PARCEL_BYTES_MAX:
            raise ValueError(f"{len(parcel)} bytes; {PARCEL_BYTES_MAX} are allowed")
        inflating = zlib.decompressobj()
        raw = inflating.decompress(parcel, BYTES_MAX + FILES_MAX * (NAME_CHARS_MAX + 16))
        if not inflating.eof:
            raise ValueError("longer than a bundle may be, or cut short")
        if inflating.unused_data:
            raise ValueError(f"{len(inflating.unused_data)} bytes follow its end")
        # msgpack makes room for an announced length before anything of it is there: the limits are set before it reads.
        contents = msgpack.unpackb(
            raw,
            max_array_len=FILES_MAX,
            max_map_len=0,
            max_ext_len=0,
            max_str_len=4 * NAME_CHARS_MAX,  # bytes; a character of UTF-8 has four at most
            max_bin_len=BYTES_MAX,
        )
        if not isinstance(contents, list) or not contents:
            raise ValueError("no list of files")
        files = [_file(entry) for entry in contents]
        _fit_together([name for name, _ in files])
        if (size := sum(len(body) for _, body in files)) > BYTES_MAX:
            raise ValueError(f"{size} bytes unpacked; {BYTES_MAX} are allowed")
        return files
    except (ValueError, TypeError, zlib.error, msgpack.UnpackException) as error:
        raise PolicyError(f"not a bundle's parcel: {error or type(error).__name__}") from error


def _file(entry: object) -> tuple[str, bytes]:
    """One file. A body that is a number is not made into so many bytes: it is none."""
    if not isinstance(entry, list) or len(entry) != 2:
        raise ValueError("a file is its name and its bytes")
    name, body = _inside(entry[0]), entry[1]
    if not isinstance(body, bytes):
        raise ValueError(f"the file {name!r:.60} has a body of type {type(body).__name__}, not bytes")
    return name, body


def _fit_together(names: list[str]) -> None:
    """Raises: ValueError: a name stands twice, or names a file and a folder."""
    known = set(names)
    if len(known) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the file {twice!r:.60} is there twice")
    for name in names:
        for folder in PurePosixPath(name).parents:
            if str(folder) in known:
                raise ValueError(f"{str(folder)!r:.60} is a file and the folder of {name!r:.60}")


def _inside(name: object) -> str:
    path = PurePosixPath(name) if isinstance(name, str) and name.isprintable() else PurePosixPath("/")
    if path.is_absolute() or not path.parts or len(str(path)) > NAME_CHARS_MAX or "\\" in str(path):
        raise ValueError(f"a file named {name!r:.60}")
    if any(part.startswith(".") or len(part.encode()) > PART_BYTES_MAX for part in path.parts):
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
