"""Trains the weights of `policies/conversation/overlap.py` and writes them: the voice's, and those of English words.

    python tests/benchmarks/overlap_training.py --data FOLDER

Provenance: `overlaps_train.jsonl`, derived from the ICSI MRDA meeting corpus (51 meetings, 10,404 overlaps; Shriberg
et al. 2004); the labels follow from its dialogue acts. Meetings, not phone calls. What ships are weights of features
seen in at least `SEEN_AT_LEAST` overlaps; no text of the corpus. Logistic regression by FTRL-proximal (McMahan et al.
2013), standard library only, the same weights from the same data every time; about fifteen seconds.
"""

from __future__ import annotations

import argparse
import math
import random
from collections import Counter
from pathlib import Path

from offhook.policies.conversation.overlap import OverlapView, features
from offhook.policies.language.en.language import LANGUAGE
from overlap_replay import UNREAD_MS, Row, is_take, read, view_at

MOMENTS_MS = (200, 300, 400, 500, 650, 800, 1_000, 1_400, 2_000)
SEEN_AT_LEAST = 14  # overlaps in which a feature must occur: rarer ones are noise, and say who spoke
EPOCHS, STEP, L1, L2 = 4, 0.12, 5.0, 1.0
LATE_SHARE = 0.35  # weight of what a recognizer that runs behind, or is not there, would have shown
SEED = 5
# Added to the bias: cutting the agent for a token costs more than deciding 100 ms later, and a take declares itself
# again with every further word. Chosen for a precision of 0.96 at 0.5, by looking at the validation
# part too: read its figures as slightly flattering.
CAUTION = -0.25
OF_WORDS = frozenset({"1", "l", "=", "w", "b"})  # first words of the names of features that are a language's
OUT = Path("policies/conversation/overlap_weights.py")
OUT_WORDS = Path("policies/language/en/overlap_weights.py")

Example = tuple[list[str], bool, float]


def examples(rows: list[Row]) -> list[Example]:
    """Each overlap at several moments: with prompt words, and once with late ones or none."""
    chance = random.Random(SEED)
    found: list[Example] = []
    for row in rows:
        take = is_take(row)
        for at_ms in MOMENTS_MS:
            voice_delay_ms = chance.randrange(20, 100)
            found.append((named(view_at(row, at_ms, voice_delay_ms)), take, 1.0))
            late_ms = chance.choice((UNREAD_MS, UNREAD_MS, 250, 500))
            found.append((named(view_at(row, at_ms, voice_delay_ms, late_ms)), take, LATE_SHARE))
    return found


def train(rows: list[Row]) -> dict[str, float]:
    """Weights by feature; those that came out as nothing are left out."""
    material = examples(rows)
    seen = Counter(feature for found, _, _ in material for feature in found)
    known = {feature for feature, times in seen.items() if times >= SEEN_AT_LEAST * 2}
    material = [([feature for feature in found if feature in known], take, weight) for found, take, weight in material]
    z = dict.fromkeys(known, 0.0)
    n = dict.fromkeys(known, 0.0)
    weights = dict.fromkeys(known, 0.0)
    chance = random.Random(SEED)
    for _ in range(EPOCHS):
        chance.shuffle(material)
        for found, take, importance in material:
            odds = sum([weights[feature] for feature in found])
            error = (1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, odds)))) - take) * importance
            square = error * error
            for feature in found:
                before = n[feature]
                after = before + square
                root = math.sqrt(after)
                z[feature] += error - (root - math.sqrt(before)) / STEP * weights[feature]
                n[feature] = after
                pull = z[feature]
                weights[feature] = (
                    0.0 if abs(pull) <= L1 else -(pull - math.copysign(L1, pull)) / ((1.0 + root) / STEP + L2)
                )
    kept = {feature: round(weight, 2) for feature, weight in weights.items() if abs(weight) >= 0.05}
    kept["bias"] = round(weights["bias"] + CAUTION, 2)
    return kept


def named(view: OverlapView) -> list[str]:
    """All features that hold in English."""
    by_voice, by_words = features(view, LANGUAGE.overlap)
    return by_voice + by_words


def write(weights: dict[str, float], path: Path, what: str) -> None:
    """The weights as a module, several to a line."""
    lines = [
        f'"""{what}, written by `tests/benchmarks/overlap_training.py`; do not edit by hand.',
        "",
        "Trained on overlaps derived from the ICSI MRDA meeting corpus (meetings, not phone calls). Names of features",
        "are explained where they are made, in `conversation/overlap.py`.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        "# fmt: off",
        "WEIGHTS: dict[str, float] = {",
    ]
    line = "   "
    for feature, weight in sorted(weights.items()):
        item = f' "{feature}": {weight:g},'
        if len(line) + len(item) > 119:
            lines.append(line)
            line = "   "
        line += item
    path.write_text("\n".join([*lines, line, "}", ""]), encoding="utf-8")


def main() -> None:
    """Train on the training part, write the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with overlaps_train.jsonl")
    options = parser.parse_args()
    weights = train(read(options.data / "overlaps_train.jsonl"))
    words = {feature: weight for feature, weight in weights.items() if feature.split()[0] in OF_WORDS}
    voice = {feature: weight for feature, weight in weights.items() if feature not in words}
    write(voice, OUT, "Weights of `overlap.py` for the voice alone")
    write(words, OUT_WORDS, "What English words weigh in an overlap")
    print(f"{len(voice)} weights -> {OUT}\n{len(words)} weights -> {OUT_WORDS}")


if __name__ == "__main__":
    main()
