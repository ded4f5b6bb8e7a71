"""Whole calls on virtual time, from a seed: generated callers, faults, and checkers that run beside every step.

The only place in `policies/` where chance is allowed: a `random.Random(seed)` that is handed in. Nothing here is used
by a live call.
"""
