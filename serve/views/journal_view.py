"""A journal's record as the API shows it, {epoch, seq, at_ms, kind, body}, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offhook.policies.core.records import Record, record_of


def entry(record: Record) -> dict[str, Any]:
    """The record without its call, which the answer names once."""
    return {name: value for name, value in record._asdict().items() if name != "call"}


def record(call: str, shown: Mapping[str, Any]) -> Record:
    """The record that was shown. Raises CodecFault: it is none."""
    return record_of([call, shown["epoch"], shown["seq"], shown["at_ms"], shown["kind"], shown["body"]])
