"""The stock agents, and what agents of one's own are built from (`base.py`)."""

from .base import Agent, load

__all__ = ["Agent", "load"]
