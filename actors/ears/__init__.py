"""A call's ears: the caller's audio in, events out. `ears.Ears` is the whole of it; the other files are its organs.

No numpy anywhere below: it would cost each call's process 22 MB. What is heavy here runs inside C functions of the
standard library (`bytes.translate`, `math.hypot`, integers as bit vectors).
"""

from .ears import Ears

__all__ = ["Ears"]
