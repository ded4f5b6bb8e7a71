"""A ceiling on this process's memory, for processes that run a policy's code: what leaks fails, and not its neighbours.

Over it, allocations raise MemoryError: an agent that meets it has failed like any that raises, and its process is made
anew. Calls that are live there go on meanwhile.
"""

from __future__ import annotations

import resource
from pathlib import Path


def limit_memory(more_mb: int) -> int:
    """Let this process grow by so much from here; the ceiling in bytes, 0 where the kernel does not say what it has.

    Source: getrlimit(2), RLIMIT_DATA, which since Linux 4.7 counts private writable mappings; proc(5), VmData.
    """
    try:
        status = Path("/proc/self/status").read_text()
        now_bytes = int(status.partition("VmData:")[2].split()[0]) << 10
    except (OSError, IndexError, ValueError):
        return 0
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    ceiling = now_bytes + (more_mb << 20)
    if hard != resource.RLIM_INFINITY:
        ceiling = min(ceiling, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (ceiling, hard))
    return ceiling
