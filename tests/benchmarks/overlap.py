"""Taking the floor or just listening: the overlap decision on a meeting corpus, by the moment of the decision.

    python tests/benchmarks/overlap.py --data FOLDER [--part val]

Words are known once they have ended, voice is known 60 ms late; nothing after the decision's moment is looked at
(`overlap_replay.py`). A second table shows a recognizer that runs 300 ms behind, a third none at all, which is what a
live call has at 0.5 s. The costs: a wrong cut costs the agent its utterance for a token; a missed take talks over the
caller until a later look (every 100 ms, to 2 s) sees it, in ms after the moment. Meetings, not phone calls.
"""

from __future__ import annotations

import argparse
import statistics
import timeit
from pathlib import Path

from offhook.policies.conversation.overlap import OverlapView, judge
from offhook.policies.core.policy import BargeIn
from offhook.policies.language.en.language import LANGUAGE
from overlap_replay import UNREAD_MS, Row, is_take, read, view_at

MOMENTS_MS = (200, 300, 500, 800)
GIVE_UP_MS = 2_000


def table(rows: list[Row], words_delay_ms: int, take_at: float) -> None:
    """One line a moment."""
    print(" at ms  accuracy  precision  recall  wrong cuts  talked over, ms p50 / p90")
    for at_ms in MOMENTS_MS:
        right = cut = cut_right = takes = 0
        late: list[int] = []
        for row in rows:
            take, said = (
                is_take(row),
                judge(view_at(row, at_ms, words_delay_ms=words_delay_ms), LANGUAGE.overlap) >= take_at,
            )
            right += take == said
            cut += said
            cut_right += said and take
            takes += take
            if take and not said:
                late.append(talked_over_ms(row, at_ms, words_delay_ms, take_at))
        late.sort()
        over = f"{late[len(late) // 2]} / {late[int(len(late) * 0.9)]}" if late else "-"
        print(
            f"{at_ms:6d} {right / len(rows):9.3f} {cut_right / max(1, cut):10.3f} {cut_right / max(1, takes):7.3f} "
            f"{(cut - cut_right) / max(1, len(rows) - takes):10.1%} {over:>26}"
        )


def talked_over_ms(row: Row, at_ms: int, words_delay_ms: int, take_at: float) -> int:
    """How much longer the agent talks over a taker whom the decision missed; ends with the taker's last word too."""
    ended_ms = min(GIVE_UP_MS, round(row["words"][-1][1] * 1_000))
    for later_ms in range(at_ms + 100, GIVE_UP_MS + 1, 100):
        if judge(view_at(row, later_ms, words_delay_ms=words_delay_ms), LANGUAGE.overlap) >= take_at:
            return min(later_ms, max(ended_ms, at_ms)) - at_ms
    return max(0, ended_ms - at_ms)


def main() -> None:
    """Print the tables, or why there is nothing to measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with overlaps_<part>.jsonl")
    parser.add_argument("--part", default="val")
    parser.add_argument("--take-at", type=float, default=BargeIn.model_fields["take_at_share"].default)
    options = parser.parse_args()
    path = options.data / f"overlaps_{options.part}.jsonl"
    if not path.exists():
        print(f"skipped: {path} is absent")
        return
    rows = read(path)
    print(f"{len(rows)} overlaps, {sum(map(is_take, rows))} takes; a take from probability {options.take_at}")
    for title, delay_ms in (("words at once", 0), ("words 300 ms late", 300), ("no words", UNREAD_MS)):
        print(f"\n{title}")
        table(rows, delay_ms, options.take_at)
    view = OverlapView(500, 400, "yeah but i don't think so", held_ms=3_000, read_ms=500)
    took_us = statistics.median(timeit.repeat(lambda: judge(view, LANGUAGE.overlap), number=1_000, repeat=5)) * 1_000
    print(f"\none judgement: {took_us:.0f} us")


if __name__ == "__main__":
    main()
