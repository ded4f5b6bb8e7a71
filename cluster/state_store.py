"""Where a cluster keeps what is wanted of it: named blobs, in Redis where the journal is there, else in files.

The director writes before it acts and reads on its start; what the blobs mean is `desired_state.py`'s and
`rollouts.py`'s matter. Redis: one hash, `{offhook}:wanted`, in the journal's own slot. Files: a folder of the
director's node, readable by its user alone, each replaced as a whole; they outlive the director and the head's restart
on that node, no more.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import quote, unquote

from offhook.actors.journals.stores import REDIS
from offhook.policies.core.errors import CallerFault, WorldFault

BLOB_BYTES_MAX = 20 << 20  # a bundle's parcel has 16 MiB at most, its policy file 1 MiB
BLOBS_MAX = 1_000
NAME_CHARS_MAX = 120
ANSWER_S = 5.0  # of Redis, for a blob of that size
HASH = "{offhook}:wanted"

T = TypeVar("T")


class MemoryAway(WorldFault):
    """The store of what is wanted cannot be read or written now; nothing was changed."""


class Memory(Protocol):
    """Blobs by name. Every method raises MemoryAway when the store does not answer."""

    async def put(self, name: str, blob: bytes) -> None:
        """Keep it; safe when this returns.

        Raises:
            CallerFault: too large, too many, or no name.
        """

    async def get(self, name: str) -> bytes | None:
        """None = there is none of this name."""

    async def drop(self, name: str) -> None:
        """Nothing happens where there is none."""

    async def names(self) -> list[str]:
        """All of them, sorted."""

    async def close(self) -> None:
        """Give connections back."""


def open_memory(journal: str, state_dir: str | Path) -> Memory:
    """The memory that goes with a journal's URL; files in `state_dir` where the journal is no Redis.

    Raises:
        CallerFault: the client of Redis is not installed.
    """
    if journal.partition("://")[0] in REDIS:
        return RedisMemory(journal)
    return FileMemory(Path(state_dir) / "wanted")


def check(name: str, blob: bytes) -> None:
    """Raises:
    CallerFault: over a limit.
    """
    if not 0 < len(name) <= NAME_CHARS_MAX:
        raise CallerFault(f"a blob's name has 1 to {NAME_CHARS_MAX} characters, not {name!r:.40}")
    if len(blob) > BLOB_BYTES_MAX:
        raise CallerFault(f"{name}: {len(blob)} bytes; the cluster keeps {BLOB_BYTES_MAX} at most under one name")


class FileMemory:
    """A folder, one file a blob."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._turn = asyncio.Lock()

    async def put(self, name: str, blob: bytes) -> None:
        """See `Memory`."""
        check(name, blob)
        async with self._turn:
            await self._do(lambda: self._write(name, blob))

    async def get(self, name: str) -> bytes | None:
        """See `Memory`."""
        return await self._do(lambda: self._read(name))

    async def drop(self, name: str) -> None:
        """See `Memory`."""
        async with self._turn:
            await self._do(lambda: self._path(name).unlink(missing_ok=True))

    async def names(self) -> list[str]:
        """See `Memory`."""
        return await self._do(self._names)

    async def close(self) -> None:
        """See `Memory`."""

    async def _do(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(work)
        except OSError as error:
            raise MemoryAway(f"{self._folder}: {error.strerror or error}") from error

    def _path(self, name: str) -> Path:
        return self._folder / quote(name, safe="")

    def _names(self) -> list[str]:
        found = self._folder.iterdir() if self._folder.is_dir() else ()
        return sorted(unquote(path.name) for path in found if not path.name.endswith(".new"))

    def _read(self, name: str) -> bytes | None:
        with contextlib.suppress(FileNotFoundError):
            return self._path(name).read_bytes()
        return None

    def _write(self, name: str, blob: bytes) -> None:
        """Whoever reads gets the old blob or the new one; after a power cut too."""
        path = self._path(name)
        if not path.exists() and len(self._names()) >= BLOBS_MAX:
            raise CallerFault(f"{self._folder}: {BLOBS_MAX} blobs are kept already")
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_name(f"{path.name}.new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(blob)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class RedisMemory:
    """One hash of a Redis. Made on the loop that uses it."""

    def __init__(self, url: str) -> None:
        try:
            from redis.asyncio import Redis
        except ImportError as error:
            raise CallerFault("a journal in Redis needs its client: pip install 'offhook[redis]'") from error
        self._redis: Any = Redis.from_url(url, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S)

    async def put(self, name: str, blob: bytes) -> None:
        """See `Memory`."""
        check(name, blob)
        if not await self._ask("hexists", name) and await self._ask("hlen") >= BLOBS_MAX:
            raise CallerFault(f"{HASH}: {BLOBS_MAX} blobs are kept already")
        await self._ask("hset", name, blob)

    async def get(self, name: str) -> bytes | None:
        """See `Memory`."""
        found = await self._ask("hget", name)
        return None if found is None else bytes(found)

    async def drop(self, name: str) -> None:
        """See `Memory`."""
        await self._ask("hdel", name)

    async def names(self) -> list[str]:
        """See `Memory`."""
        return sorted(key.decode() for key in await self._ask("hkeys"))

    async def close(self) -> None:
        """See `Memory`."""
        with contextlib.suppress(Exception):
            await self._redis.aclose()

    async def _ask(self, command: str, *arguments: Any) -> Any:
        from redis import RedisError

        try:
            return await getattr(self._redis, command)(HASH, *arguments)
        except (RedisError, OSError) as error:
            raise MemoryAway(f"what is wanted cannot be kept or read: Redis: {error}") from error
