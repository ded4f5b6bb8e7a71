"""Composes everything: one installation on this node."""
