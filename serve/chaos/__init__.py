"""Faults on purpose, and the account of everything afterwards."""
