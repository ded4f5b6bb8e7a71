"""Which journal and which register of acts a URL means: the one place that knows the stores. A store's client is
imported where it is used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from offhook.policies.core.errors import CallerFault

from .journal import Journal, Retention
from .register import Register

REDIS = ("redis", "rediss", "unix")
SQLITE = "sqlite"


def check_url(url: str) -> None:
    """Raises:
    CallerFault: no store is known by this URL.
    """
    scheme, colon, rest = url.partition("://")
    if colon and (scheme not in (*REDIS, SQLITE) or not rest):
        raise CallerFault(f"a journal's URL is redis://, rediss://, unix:// or sqlite:///PATH, not {scheme}://")


def open_journal(
    url: str | Path,
    on_health: Callable[[bool, str], None] | None = None,
    retention: Retention | None = None,
    on_damage: Callable[[str], None] | None = None,
) -> Journal:
    """The journal at `url`: redis://..., rediss://..., unix://... (Redis), sqlite:///PATH or a path (SQLite).

    Args:
        on_health: told on the loop when the store goes away (False, why) and is back (True, "").
        on_damage: told on the loop when the store as a whole is found damaged. What is wrong with single records is
            told to whoever reads them.

    Raises:
        CallerFault: no such store, or its client is not installed.
    """
    check_url(str(url))
    scheme, colon, rest = str(url).partition("://")
    if not colon or scheme == SQLITE:
        from .sqlite_journal import SqliteJournal

        return SqliteJournal(rest if colon else url, on_health, retention, on_damage=on_damage)
    try:
        from .redis_journal import RETENTION, RedisJournal
    except ImportError as error:
        raise CallerFault("a journal in Redis needs its client: pip install 'offhook[redis]'") from error
    return RedisJournal(str(url), on_health, retention or RETENTION)


def open_register(url: str | Path, path: Path, holder: str) -> Register:
    """The register of acts that goes with the journal at `url`: in the same Redis, or in a file of this node at `path`.

    Raises:
        CallerFault: no such store, or its client is not installed.
    """
    check_url(str(url))
    scheme, colon, rest = str(url).partition("://")
    if not colon or scheme == SQLITE:
        from .sqlite_register import SqliteRegister

        return SqliteRegister(path, holder, Path(rest if colon else url))
    try:
        from .redis_register import RedisRegister
    except ImportError as error:
        raise CallerFault("a register in Redis needs its client: pip install 'offhook[redis]'") from error
    return RedisRegister(str(url), holder)
