"""The version of the core: which decisions a call's journal may be held against."""

from __future__ import annotations

# Rises with every change after which `step` may decide otherwise on the same events, or leads to a state with other
# fields, which snapshots hold. Journals say which core has led their call; byte for byte they are compared with the
# decisions of that core alone. `tests/unit/test_recorded.py` replays a journal of this one: when it differs, this
# number has to rise and that journal to be recorded anew.
CORE = 1
