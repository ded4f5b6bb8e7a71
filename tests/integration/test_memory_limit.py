"""A process over its ceiling fails by itself."""

from __future__ import annotations

import subprocess
import sys


def test_what_grows_beyond_the_ceiling_raises_and_what_stays_below_does_not() -> None:
    code = (
        "from offhook.actors.process.memory_limit import limit_memory\n"
        "assert limit_memory(100) > 100 << 20\n"
        "kept = bytearray(50 << 20)\n"
        "try: more = bytearray(200 << 20)\n"
        "except MemoryError: print('refused', len(kept) >> 20)\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "refused 50\n"
