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
from numpy.typing import NDArray
from offhook.actors.ears.confirm import Confirmation
from offhook.actors.ears.measure import Frame, loudness_db, signs
from offhook.actors.ears.mulaw import decode
from offhook.actors.ears.vad import NoiseFloor
from voice_activity_material import Recording, bursts, quietened, read_recordings

Floats = NDArray[np.float64]
FRAME = 160
RIDGE, RATE, EPOCHS, BATCH = 0.03, 0.01, 30, 512
BURST_SECONDS, BURST_WEIGHT = 60, 0.5  # a tenth as much as speech in noise: more, and soft syllables are lost
SEED = 7


def inputs_of(audio: bytes) -> Floats:
    """Per frame, what the second stage weighs; made by the second stage itself."""
    stage, floor = Confirmation(), NoiseFloor()
    bits, mask, rows = 0, (1 << 2 * FRAME) - 1, []
    for start in range(0, len(audio) - FRAME + 1, FRAME):
        frame = audio[start : start + FRAME]
        samples = decode(frame)
        db = loudness_db(samples)
        floor.hear(db)
        bits = (bits << FRAME | signs(frame)) & mask
        rows.append(stage.inputs(Frame(frame, samples, bits, 2 * FRAME, db, floor.db)))
    return np.array(rows)


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
    recordings = [*recordings, *map(quietened, recordings)]
    material = [inputs_of(recording.audio) for recording in recordings]
    labels = [
        np.array(recording.labels[: len(rows)], float) for recording, rows in zip(recordings, material, strict=True)
    ]
    noise = inputs_of(bursts(BURST_SECONDS, SEED))
    importance = np.concatenate([np.ones(sum(map(len, material))), np.full(len(noise), BURST_WEIGHT)])
    return train(np.vstack([*material, noise]), np.concatenate([*labels, np.zeros(len(noise))]), importance)


def f1(share: Floats, labels: Floats, limit: float) -> float:
    """Of frames at one limit."""
    said = share >= limit
    return float(2 * (said & (labels > 0)).sum() / max(1, said.sum() + labels.sum()))


def cross_validate(recordings: list[Recording], folds: int = 5) -> None:
    """Print the frame F1 of files that the weights have not seen, by limit."""
    shares, labels = [], []
    for fold in range(folds):
        bias, weights = fit([r for index, r in enumerate(recordings) if index % folds != fold])
        for recording in recordings[fold::folds]:
            rows = inputs_of(recording.audio)
            shares.append(1.0 / (1.0 + np.exp(-(rows @ weights + bias))))
            labels.append(np.array(recording.labels[: len(rows)], float))
    for limit in (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6):
        print(f"limit {limit:.2f}  F1 {f1(np.concatenate(shares), np.concatenate(labels), limit):.4f}")


def write(bias: float, weights: Floats, path: Path) -> None:
    """The weights as a module."""
    numbers = [f"{weight:.4g}" if "." in f"{weight:.4g}" else f"{weight:.4g}.0" for weight in weights]
    third = len(numbers) // 3
    rows = "\n".join(
        f"    {', '.join(numbers[start : start + third])},  # {what}"
        for start, what in ((0, "now"), (third, "smoothed over 40 ms"), (2 * third, "smoothed over 200 ms"))
    )
    path.write_text(
        '"""Weights of `confirm.py`, written by `tests/benchmarks/voice_activity_training.py`; generated."""\n\n'
        "from __future__ import annotations\n\n# fmt: off\n# ruff: noqa: E501\n"
        f"BIAS = {bias:.4g}\nWEIGHTS: tuple[float, ...] = (\n{rows}\n)\n",
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
        cross_validate(recordings)
        return
    bias, weights = fit(recordings)
    write(bias, weights, options.out)
    print(f"{len(weights)} weights -> {options.out}")


if __name__ == "__main__":
    main()
