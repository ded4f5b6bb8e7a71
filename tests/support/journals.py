"""Records put together by hand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from offhook.policies.core.records import Record


def renumbered(records: Iterable[Any]) -> list[Record]:
    """Records of one call with others put between them, each numbered by its place."""
    return [Record(*record)._replace(seq=seq) for seq, record in enumerate(records, start=1)]
