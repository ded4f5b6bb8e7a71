"""End of turn: false cut-ins against response delay, as a curve, against fixed timeouts.

    python tests/benchmarks/end_of_turn.py --data DIR [--part val|train] [--json] [--odds]

DIR holds `overlaps_<part>.jsonl` (ICSI MRDA: one dialogue act a row, with word times). From it are derived
  - pauses inside turns: gaps of 200 ms to 4 s between two words of one row, and between two rows of one speaker;
  - ends of turns: a row's end after which that speaker has no other row for 3 s.
What the corpus cannot say: its rows begin in overlap and are meeting speech, so answers to questions, dictated digits
and spelled names are rare (they are generated below, and counted apart); a row's end may be followed by an act that
did not overlap and is therefore missing, so some "ends" are pauses in truth, for every strategy alike; backchannels,
abandoned acts (`%`) and floor holders are left out as ends. A recognizer's delay is left out too: words count at once.

A pause longer than the patience is a false cut-in; patience at an end of turn is the response delay. Callers are met
in the order of time and their cadence is learnt as in a call: a pause in which the agent would have spoken teaches
nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offhook.policies.conversation import endpointing
from offhook.policies.core.policy import Endpointing
from offhook.policies.core.proposals import Asks
from offhook.policies.core.state import Cadence, Stage
from offhook.policies.language.en import completeness
from offhook.policies.language.port.port import UNWEIGHED
from offhook.policies.speech import cadence

PAUSE_MS = (200, 4_000)
NEXT_ROW_MS = 3_000
REPLY_MS = 300  # after which a false cut-in is heard, and the pause teaches nothing
FIXED_MS = (500, 700, 1_000)
SCALES = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.7, 2.0)
ODDS_PRICE_MS = 6_000  # a false cut-in costs as much as this much delay spread over turns (only for --odds)
WORDS_KEPT = 12


@dataclass(frozen=True)
class Pause:
    """One moment at which the caller fell silent: after which words, and for how long (None = the turn was over)."""

    caller: tuple[str, str]
    words: str
    asks: Asks
    pause_ms: int | None


Wait = Callable[[Cadence, str, Asks], int]


def read_rows(path: Path) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The corpus' rows by (meeting, speaker), in the order of time."""
    by_caller: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    with path.open() as lines:
        for line in lines:
            row = json.loads(line)
            by_caller[row["meeting"], row["spk"]].append(row)
    for rows in by_caller.values():
        rows.sort(key=lambda row: row["t"])
    return by_caller


def pauses_of(by_caller: dict[tuple[str, str], list[dict[str, Any]]]) -> list[Pause]:
    """Every pause and every end of turn, callers one after the other, each in the order of time."""
    found: list[Pause] = []
    for caller, rows in by_caller.items():
        for row, following in zip(rows, [*rows[1:], None], strict=True):
            if row["kind"] != "backchannel":
                found.extend(_pauses_of_row(caller, row, following))
    return found


def _pauses_of_row(caller: tuple[str, str], row: dict[str, Any], following: dict[str, Any] | None) -> Iterator[Pause]:
    words: list[str] = []
    for word, after in zip(row["words"], row["words"][1:], strict=False):
        words.append(_written(word[2]))
        gap_ms = round((after[0] - word[1]) * 1_000)
        if PAUSE_MS[0] <= gap_ms <= PAUSE_MS[1]:
            yield Pause(caller, " ".join(words[-WORDS_KEPT:]), Asks.NOTHING, gap_ms)
    text = " ".join([*words, _written(row["words"][-1][2])][-WORDS_KEPT:]) if row["words"] else ""
    away_ms = round((following["t"] - row["t"] - row["dur"]) * 1_000) if following is not None else NEXT_ROW_MS + 1
    if 0 <= away_ms <= NEXT_ROW_MS:
        if away_ms >= PAUSE_MS[0]:
            yield Pause(caller, text, Asks.NOTHING, away_ms)
    elif away_ms > 0 and text and "%" not in row["da"] and row["da"] not in ("fg", "fh"):
        yield Pause(caller, text, Asks.NOTHING, None)


def _written(word: str) -> str:
    """The corpus' spelling in a recognizer's."""
    return word.strip("<>").replace("o_k", "okay").replace("_", "")


def generated(seed: int) -> list[Pause]:
    """Dictated telephone numbers, spelled names and yes/no answers: what callers say and meetings do not.

    Telephone numbers come in groups of three or four digits with pauses of 300 to 1,100 ms between them; names letter
    by letter with a pause before about every third letter; yes/no answers are one breath. Judgement, not measurement.
    """
    chance = random.Random(seed)
    found: list[Pause] = []
    for number in range(300):
        caller = ("generated", f"digits{number}")
        said: list[str] = []
        groups = (3, 3, 4) if chance.random() < 0.7 else (3, 4)
        for place, size in enumerate(groups):
            said.extend(str(chance.randint(0, 9)) for _ in range(size))
            last = place == len(groups) - 1
            found.append(Pause(caller, " ".join(said), Asks.DIGITS, None if last else chance.randint(300, 1_100)))
    for number in range(300):
        caller = ("generated", f"name{number}")
        letters = [chance.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(chance.randint(4, 8))]
        found.extend(
            Pause(caller, " ".join(letters[:place]), Asks.NAME, chance.randint(300, 1_000))
            for place in range(3, len(letters), 3)
        )
        found.append(Pause(caller, " ".join(letters), Asks.NAME, None))
    for number in range(300):
        caller = ("generated", f"answer{number}")
        found.append(Pause(caller, chance.choice(["yes", "no", "yeah sure", "yes please"]), Asks.YES_NO, None))
    return found


def generated_cadences(seed: int) -> list[Pause]:
    """Callers with pauses of their own: a third pauses about 250 ms, a third 450, a third 900, each with a spread of a
    quarter (the corpus has about five pauses a speaker and meeting, too few to learn much from). Twelve turns each,
    with two pauses in every turn, after words that say nothing about what follows.
    """
    chance = random.Random(seed)
    found: list[Pause] = []
    for number in range(90):
        own_ms = (250, 450, 900)[number % 3]
        caller = ("generated", f"cadence{number}")
        for _ in range(12):
            found.extend(
                Pause(caller, "we run a small office", Asks.OPEN, round(max(200.0, chance.gauss(own_ms, own_ms / 4))))
                for _ in range(2)
            )
            found.append(Pause(caller, "we run a small office", Asks.OPEN, None))
    return found


def play(pauses: Iterable[Pause], wait: Wait) -> dict[str, float]:
    """Let one strategy wait at every pause, learning each caller as a call would."""
    known: dict[tuple[str, str], Cadence] = {}
    step = Endpointing().step_share
    delays: list[int] = []
    inside = cut_in = 0
    for pause in pauses:
        own = known.get(pause.caller, Cadence())
        waited_ms = wait(own, pause.words, pause.asks)
        if pause.pause_ms is None:
            delays.append(waited_ms)
            continue
        inside += 1
        cut_in += pause.pause_ms > waited_ms
        if pause.pause_ms <= waited_ms + REPLY_MS:
            known[pause.caller] = cadence.learn(own, pause.pause_ms, step)
    delays.sort()
    return {
        "delay_mean_ms": round(statistics.fmean(delays), 1),
        "delay_p50_ms": delays[len(delays) // 2],
        "delay_p90_ms": delays[int(len(delays) * 0.9)],
        "false_cut_in_share": round(cut_in / max(1, inside), 4),
        "false_cut_ins_per_100_turns": round(100 * cut_in / len(delays), 1),
        "pauses": inside,
        "turns": len(delays),
    }


def ours(scale: float, *, semantic: bool = True, learning: bool = True) -> Wait:
    """offhook's patience in the qualifying stage, its base scaled."""
    policy = Endpointing(
        base_ms={Stage.QUALIFYING: round(Endpointing().base_ms[Stage.QUALIFYING] * scale)}, semantic=semantic
    )

    def wait(own: Cadence, words: str, asks: Asks) -> int:
        complete = completeness.judge(words, asks) if semantic else UNWEIGHED
        return endpointing.patience(policy, Stage.QUALIFYING, own if learning else Cadence(), complete).ms

    return wait


def fixed(ms: int) -> Wait:
    return lambda _own, _words, _asks: ms


def at_same_delay(pauses: list[Pause], delay_ms: float) -> tuple[float, float]:
    """Our scale whose mean delay is `delay_ms`, by bisection, and its share of false cut-ins."""
    low, high = 0.2, 4.0
    for _ in range(14):
        middle = (low + high) / 2
        low, high = (middle, high) if play(pauses, ours(middle))["delay_mean_ms"] < delay_ms else (low, middle)
    return low, play(pauses, ours(low))["false_cut_in_share"]


def odds(pauses: list[Pause]) -> list[dict[str, Any]]:
    """Per word class: how often a pause after it lies inside a turn, and the patience that costs least."""
    classes: dict[str, tuple[list[int], list[None]]] = defaultdict(lambda: ([], []))
    for pause in pauses:
        name = completeness.judge(pause.words, pause.asks).why.partition(" '")[0]
        if pause.pause_ms is None:
            classes[name][1].append(None)
        else:
            classes[name][0].append(pause.pause_ms)
    rows = []
    for name, (inside, ends) in sorted(classes.items(), key=lambda item: -len(item[1][0])):
        candidates = range(200, 2_550, 50)
        best = min(candidates, key=lambda ms: ms * len(ends) + ODDS_PRICE_MS * sum(p > ms for p in inside))
        share = len(inside) / (len(inside) + len(ends))
        rows.append(
            {"class": name, "inside": len(inside), "ends": len(ends), "inside_share": round(share, 3), "best_ms": best}
        )
    return rows


def against_fixed(pauses: list[Pause]) -> dict[str, Any]:
    return {"offhook": play(pauses, ours(1.0)), **{f"fixed {ms} ms": play(pauses, fixed(ms)) for ms in FIXED_MS}}


def report(pauses: list[Pause], seed: int) -> dict[str, Any]:
    extra, cadences = generated(seed), generated_cadences(seed)
    inside = [p.pause_ms for p in pauses if p.pause_ms is not None and p.pause_ms <= 1_000]
    mean = statistics.fmean(inside)
    result: dict[str, Any] = {
        "prior": {
            "mean_ms": round(mean),
            "dev_ms": round(statistics.fmean(abs(p - mean) for p in inside)),
            "of": "pauses of 200 to 1,000 ms",
        },
        "curve": [{"scale": scale, **play(pauses, ours(scale))} for scale in SCALES],
        "fixed": [{"ms": ms, **play(pauses, fixed(ms))} for ms in FIXED_MS],
        "without_words": play(pauses, ours(1.0, semantic=False)),
        "without_cadence": play(pauses, ours(1.0, learning=False)),
        "generated dictations, spellings and yes/no answers": against_fixed(extra),
        "generated callers of fast, middling and slow cadence": {
            "nothing learnt": play(cadences, ours(1.0, learning=False)),
            **against_fixed(cadences),
        },
    }
    for row in result["fixed"]:
        scale, share = at_same_delay(pauses, row["delay_mean_ms"])
        row["ours_at_same_delay"] = {"scale": round(scale, 2), "false_cut_in_share": share}
    return result


def print_report(part: str, result: dict[str, Any]) -> None:
    line = "{:<26} {:>10} {:>8} {:>8} {:>13} {:>16}"
    first = result["curve"][0]
    print(f"{part}: {first['pauses']} pauses inside turns, {first['turns']} ends of turns; prior {result['prior']}")
    print(line.format("strategy", "delay mean", "p50", "p90", "cut-in share", "per 100 turns"))

    def row(name: str, found: dict[str, Any]) -> None:
        print(
            line.format(
                name,
                f"{found['delay_mean_ms']:.0f} ms",
                found["delay_p50_ms"],
                found["delay_p90_ms"],
                f"{found['false_cut_in_share']:.1%}",
                found["false_cut_ins_per_100_turns"],
            )
        )

    for found in result["curve"]:
        row(f"offhook x {found['scale']}", found)
    row("offhook, words unweighed", result["without_words"])
    row("offhook, nothing learnt", result["without_cadence"])
    for found in result["fixed"]:
        row(f"fixed {found['ms']} ms", found)
        same = found["ours_at_same_delay"]
        print(f"    offhook at the same mean delay: {same['false_cut_in_share']:.1%} cut in (scale {same['scale']})")
    for part, strategies in result.items():
        if part.startswith("generated"):
            print(f"{part}:")
            for name, found in strategies.items():
                row(name, found)


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--data", type=Path, required=True, help="folder with overlaps_<part>.jsonl")
    options.add_argument("--part", choices=("val", "train"), default="val")
    options.add_argument("--json", action="store_true")
    options.add_argument("--odds", action="store_true", help="also print word classes and their odds")
    options.add_argument("--seed", type=int, default=7, help="of the generated part")
    chosen = options.parse_args()
    path = chosen.data / f"overlaps_{chosen.part}.jsonl"
    if not path.exists():
        print(json.dumps({"skipped": f"no {path}"}) if chosen.json else f"skipped: no {path}")
        sys.exit(0)
    pauses = pauses_of(read_rows(path))
    result = report(pauses, chosen.seed)
    if chosen.odds:
        result["odds"] = odds(pauses)
    if chosen.json:
        print(json.dumps(result, indent=1))
        return
    print_report(chosen.part, result)
    for row in result.get("odds", ()):
        print(row)


if __name__ == "__main__":
    main()
