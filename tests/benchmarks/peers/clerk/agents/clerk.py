"""The clerk of `../../script.py` as a bundle's code: an agent host loads it under a name of its own."""

from peers.script import Clerk

__all__ = ["Clerk"]
