"""Recorded calls: folded again, led again by another policy, explained."""
