"""A journal's record as the API shows it, {epoch, seq, at_ms, kind, body}, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offhook.policies.core.records import Record, record_of

from ..contracts.bodies import JournalEntry


def entry(record: Record) -> JournalEntry:
    """The record without its call, which the answer names once."""
    _call, epoch, seq, at_ms, kind, body = record
    return {"epoch": epoch, "seq": seq, "at_ms": at_ms, "kind": kind, "body": body}


def record(call: str, shown: Mapping[str, Any]) -> Record:
    """The record that was shown. Raises CodecFault: it is none."""
    return record_of([call, shown["epoch"], shown["seq"], shown["at_ms"], shown["kind"], shown["body"]])
