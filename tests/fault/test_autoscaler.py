"""Ray's real autoscaler follows the director: nodes come for a spike, drain, and leave; no live call is lost.

Its fake nodes are raylets of this machine. Whoever starts and ends such a cluster ends every Ray that it sees, so it
sees none: the test has processes, network and a folder for Ray of its own (`own_machine.py`).
"""

from __future__ import annotations

import json
from pathlib import Path

import own_machine
import pytest

pytestmark = [pytest.mark.fault, pytest.mark.timeout(500)]

PROGRAM = Path(own_machine.__file__).with_name("autoscaled.py")
WITHIN_S = 480.0


def test_nodes_come_for_a_spike_and_leave_when_their_calls_have_ended() -> None:
    if why := own_machine.refusal():
        pytest.skip(why)
    ended = own_machine.run(PROGRAM, WITHIN_S)
    assert ended.returncode == 0, f"{ended.stdout[-2_000:]}\n{ended.stderr[-6_000:]}"
    told = json.loads(ended.stdout.strip().splitlines()[-1])
    assert told["nodes that have calls"] == 3
    assert told["most calls on a node"] == 2  # its call_slot: no slot was given twice
    assert told["lost"] == []
    assert told["calls on the account"] == 5  # the one that came later is live
