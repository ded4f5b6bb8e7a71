"""When words end, where nobody tells: an estimate. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def spread(words: Sequence[str], start_s: float, end_s: float) -> list[tuple[str, int]]:
    """Words that share a stretch of sound by their letters: the estimate where nothing better is known."""
    total = sum(len(word) + 1 for word in words)
    ends, so_far = [], 0
    for word in words:
        so_far += len(word) + 1
        ends.append((word, round(1_000 * (start_s + (end_s - start_s) * so_far / total))))
    return ends
