"""Weights of `overlap.py` for the voice alone, written by `tests/benchmarks/overlap_training.py`; do not edit by hand.

Trained on overlaps derived from the ICSI MRDA meeting corpus (meetings, not phone calls). Names of features
are explained where they are made, in `conversation/overlap.py`.
"""

from __future__ import annotations

# fmt: off
WEIGHTS: dict[str, float] = {
    "bias": 0.25, "held 4": 0.79, "held 5": 0.48, "held 6": 0.18, "n0 behind 0 off": -0.94, "n0 behind 0 on": -1.16,
    "n0 behind 0 over": -1.02, "n0 behind 1 off": -0.83, "n0 behind 1 on": -0.43, "n0 behind 1 over": -0.8,
    "n0 behind 2 off": -0.25, "n0 behind 2 on": 0.16, "n0 behind 2 over": -0.45, "n0 behind 3 on": 0.35,
    "n0 off": -1.79, "n0 off v2": -0.44, "n0 off v3": -0.55, "n0 off v4": -0.24, "n0 off v5": -0.13,
    "n0 off v6": -0.13, "n0 off v7": -0.21, "n0 on": -1.25, "n0 on v1": -0.21, "n0 on v12": 0.07, "n0 on v2": -0.25,
    "n0 on v3": -0.3, "n0 on v4": -0.33, "n0 on v5": -0.17, "n0 on v6": -0.38, "n0 on v7": -0.54, "n0 on v9": -0.38,
    "n0 over": -1.94, "n0 over v1": -0.19, "n0 over v2": -0.58, "n0 over v3": -0.54, "n0 over v4": -0.24,
    "n0 over v6": -0.1, "n0 over v7": -0.08, "n1 behind 0 off": -0.09, "n1 behind 0 on": -0.07,
    "n1 behind 0 over": 0.18, "n1 behind 1 on": 0.56, "n1 behind 1 over": -0.34, "n1 behind 2 off": 0.33,
    "n1 behind 2 on": 0.44, "n1 behind 2 over": -0.19, "n1 behind 3 on": 1.35, "n1 off v2": -0.07, "n1 off v3": 0.06,
    "n1 off v4": 0.14, "n1 off v5": 0.29, "n1 off v6": -0.12, "n1 on": 0.25, "n1 on v1": 0.34, "n1 on v12": -0.07,
    "n1 on v3": -0.08, "n1 on v6": 0.4, "n1 on v7": 0.09, "n1 on v9": -0.25, "n1 over": 0.1, "n1 over v0": 0.33,
    "n1 over v1": 0.2, "n1 over v2": 0.16, "n1 over v3": 0.09, "n1 over v4": 0.17, "n1 over v5": -0.13,
    "n1 over v6": -0.5, "n1 over v7": 0.12, "n1 over v9": -0.29, "n2 behind 0 off": 0.05, "n2 behind 0 on": 0.13,
    "n2 behind 1 on": 0.58, "n2 behind 1 over": -0.13, "n2 behind 3 on": 0.54, "n2 off": 0.13, "n2 off v1": 0.11,
    "n2 off v2": 0.29, "n2 off v5": -0.22, "n2 off v6": 0.08, "n2 on": 0.46, "n2 on v1": 0.56, "n2 on v2": 0.45,
    "n2 on v3": 0.16, "n2 on v5": -0.13, "n2 on v6": -0.07, "n2 on v7": -0.12, "n2 on v9": -0.18, "n2 over v1": 0.12,
    "n2 over v2": 0.11, "n2 over v3": 0.09, "n2 over v4": -0.11, "n2 over v5": -0.18, "n2 over v6": 0.11,
    "n2 over v9": -0.12, "n3 behind 0 off": 0.17, "n3 behind 0 on": 0.71, "n3 behind 0 over": -0.21,
    "n3 behind 1 on": 0.71, "n3 behind 1 over": 0.27, "n3 behind 3 on": 0.14, "n3 off": 0.31, "n3 off v9": 0.42,
    "n3 on": 1.05, "n3 on v12": -0.23, "n3 on v2": 0.23, "n3 on v3": 0.4, "n3 on v4": 0.38, "n3 on v6": 0.25,
    "n3 on v9": 0.09, "n3 over": -0.11, "n3 over v3": -0.54, "n3 over v4": 0.17, "n3 over v5": 0.16, "n3 over v6": 0.1,
    "n3 over v7": -0.19, "n4 behind 0 off": 1.56, "n4 behind 0 on": 1.88, "n4 behind 0 over": 1.99, "n4 off": 1.64,
    "n4 off v12": 0.13, "n4 off v4": 0.06, "n4 off v6": 0.38, "n4 off v7": 0.47, "n4 off v9": 0.25, "n4 on": 2.06,
    "n4 on v4": 0.07, "n4 on v5": 0.44, "n4 on v6": 0.16, "n4 on v7": 0.62, "n4 on v9": 0.61, "n4 over": 2.01,
    "n4 over v12": -0.07, "n4 over v4": 0.23, "n4 over v5": 0.49, "n4 over v6": 0.35, "n4 over v7": 0.71,
    "n4 over v9": 0.87, "n5 behind 0 off": 1.56, "n5 behind 0 on": 1.36, "n5 behind 0 over": 1.94, "n5 off": 1.64,
    "n5 off v12": 0.91, "n5 off v7": 0.26, "n5 off v9": 0.27, "n5 on": 1.54, "n5 on v12": 0.33, "n5 on v7": 0.51,
    "n5 on v9": 0.79, "n5 over": 1.9, "n5 over v12": 0.58, "n5 over v6": 0.12, "n5 over v7": 0.45, "n5 over v9": 0.9,
    "off": 0.53, "off v12": 0.81, "off v2": -0.1, "off v3": -0.16, "off v6": 0.11, "off v7": 0.41, "off v9": 0.88,
    "on": 0.53, "on v1": 0.14, "on v12": 0.12, "on v5": -0.09, "on v6": 0.15, "on v7": 0.12, "on v9": 0.12,
    "over": 0.47, "over v0": 0.29, "over v1": 0.13, "over v12": 0.34, "over v3": -0.12, "over v4": 0.09,
    "over v6": 0.06, "over v7": 0.32, "over v9": 0.57, "question False": 0.19, "question True": 0.89,
    "unread off": -0.54, "unread off v0": -0.31, "unread off v1": -0.36, "unread off v12": 0.97,
    "unread off v2": -0.56, "unread off v3": -0.45, "unread off v4": -0.13, "unread off v5": -0.17,
    "unread off v6": 0.06, "unread off v7": 0.38, "unread off v9": 0.69, "unread on v1": -0.42, "unread on v12": 0.77,
    "unread on v2": -0.25, "unread on v3": -0.08, "unread on v5": 0.15, "unread on v6": 0.32, "unread on v7": 0.18,
    "unread on v9": 0.27, "unread over": -1.2, "unread over v0": -0.17, "unread over v1": -0.27,
    "unread over v12": 0.68, "unread over v2": -0.39, "unread over v3": -0.48, "unread over v4": -0.47,
    "unread over v5": -0.31, "unread over v6": -0.16, "unread over v9": 0.51, "unread v0": -0.55, "unread v1": -0.91,
    "unread v12": 2.23, "unread v2": -1.03, "unread v3": -0.88, "unread v4": -0.46, "unread v5": -0.2,
    "unread v6": 0.1, "unread v7": 0.58, "unread v9": 1.33,
}
