"""Trains the weights of `actors/ears/confirm.py` and writes `actors/ears/confirm_weights.py`.

    python tests/benchmarks/voice_activity_training.py --data FOLDER [--cross-validate]

Provenance: the development half of the TEN VAD test set (15 files, 130 s, 16 kHz speech in noise, hand labels), taken
through an 8 kHz mu-law line, once as recorded and once with its pauses made quiet, plus noises made here (clicks,
knocks, cough-like bursts, steady noise), all of them not speech. Logistic regression by Adam with a ridge; a few
seconds. Cross-validation is by file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from offhook.actors.audio.format import SILENCE
from offhook.actors.ears import confirm_weights
from offhook.actors.ears.confirm import FAST, SLOW, Confirmation
from offhook.actors.ears.measure import Frame
from offhook.actors.ears.vad import NoiseFloor
from voice_activity import FRAME, Score, add, line
from voice_activity_material import Floats, Recording, bursts, quietened, read_recordings

RIDGE, RATE, EPOCHS, BATCH = 0.03, 0.01, 30, 512
BURST_SECONDS, BURST_WEIGHT = 60, 0.5  # a tenth as much as speech in noise: more, and soft syllables are lost
SEED = 7


def inputs_of(audio: bytes) -> Floats:
    """Per frame, what the second stage weighs, made by the second stage itself; here it is asked about every frame."""
    stage, floor, before = Confirmation(), NoiseFloor(), SILENCE * FRAME
    rows: list[list[float]] = []
    for start in range(0, len(audio) - FRAME + 1, FRAME):
        frame = Frame(audio[start : start + FRAME], before)
        before = frame.audio
        floor.hear(frame.loudness_db)
        frame.floor_db = floor.db
        rows.append(stage.inputs(frame))
    now = np.array(rows)
    return np.hstack([now, smoothed(now, FAST), smoothed(now, SLOW)])


def smoothed(rows: Floats, keep: float) -> Floats:
    """Each column through the second stage's smoothing, from the first row on."""
    past, found = rows[0], np.empty_like(rows)
    for index, row in enumerate(rows):
        past = keep * past + (1.0 - keep) * row
        found[index] = past
    return found


def train(inputs: Floats, labels: Floats, importance: Floats) -> tuple[float, Floats]:
    """(bias, weights) of a logistic regression."""
    chance = np.random.default_rng(SEED)
    mean, spread = inputs.mean(0), inputs.std(0) + 1e-6
    scaled = np.hstack([(inputs - mean) / spread, np.ones((len(inputs), 1))])
    weights = np.zeros(scaled.shape[1])
    ridge = np.full(len(weights), RIDGE)
    ridge[-1] = 0.0
    first, second, steps = np.zeros_like(weights), np.zeros_like(weights), 0
    for epoch in range(EPOCHS):
        order = chance.permutation(len(scaled))
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            share = 1.0 / (1.0 + np.exp(-scaled[batch] @ weights))
            slope = scaled[batch].T @ ((share - labels[batch]) * importance[batch]) / len(batch) + ridge * weights
            steps += 1
            first = 0.9 * first + 0.1 * slope
            second = 0.999 * second + 0.001 * slope * slope
            rate = RATE * (1.0 - 0.9 * epoch / EPOCHS)
            weights -= rate * first / (1 - 0.9**steps) / (np.sqrt(second / (1 - 0.999**steps)) + 1e-8)
    plain = weights[:-1] / spread
    return float(weights[-1] - plain @ mean), plain


def fit(recordings: list[Recording]) -> tuple[float, Floats]:
    """Train on recordings and made noise."""
    material, labels = [], []
    for recording in [*recordings, *map(quietened, recordings)]:
        material.append(inputs_of(recording.audio))
        labels.append(np.array(recording.labels[: len(material[-1])], float))
    noise = inputs_of(bursts(BURST_SECONDS, SEED))
    importance = np.concatenate([np.ones(sum(map(len, material))), np.full(len(noise), BURST_WEIGHT)])
    return train(np.vstack([*material, noise]), np.concatenate([*labels, np.zeros(len(noise))]), importance)


def cross_validate(recordings: list[Recording], folds: int) -> None:
    """Print what the ears do on files that the weights have not seen."""
    total = Score()
    for fold in range(folds):
        use(*fit([r for index, r in enumerate(recordings) if index % folds != fold]))
        for recording in recordings[fold::folds]:
            add(total, recording, "confirmed")
    print(line(f"confirmed, {folds} folds", total))


def use(bias: float, weights: Floats) -> None:
    """Let ears made from now on weigh so."""
    confirm_weights.BIAS = bias
    confirm_weights.NOW, confirm_weights.FAST, confirm_weights.SLOW = (
        tuple(map(float, part)) for part in np.split(weights, 3)
    )


def write(bias: float, weights: Floats, path: Path) -> None:
    """The weights as a module."""
    parts = "".join(
        f"{name}: tuple[float, ...] = ({', '.join(repr(round(float(weight), 4)) for weight in part)})  # {what}\n"
        for name, part, what in zip(
            ("NOW", "FAST", "SLOW"),
            np.split(weights, 3),
            ("as it is", "smoothed over 40 ms", "smoothed over 200 ms"),
            strict=True,
        )
    )
    path.write_text(
        '"""Weights of `confirm.py`, written by `tests/benchmarks/voice_activity_training.py`; generated."""\n\n'
        f"from __future__ import annotations\n\n# fmt: off\n# ruff: noqa: E501\nBIAS = {bias:.4g}\n{parts}",
        encoding="utf-8",
    )


def main() -> None:
    """Train on all recordings of the folder, write the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the labelled recordings (*.wav, *.scv)")
    parser.add_argument("--out", type=Path, default=Path("actors/ears/confirm_weights.py"))
    parser.add_argument("--cross-validate", action="store_true", help="only print what unseen files give")
    options = parser.parse_args()
    recordings = read_recordings(options.data)
    if options.cross_validate:
        for folds in (5, len(recordings)):
            cross_validate(recordings, folds)
        return
    bias, weights = fit(recordings)
    write(bias, weights, options.out)
    print(f"{len(weights)} weights -> {options.out}")


if __name__ == "__main__":
    main()
