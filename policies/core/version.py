"""The version of the core: which decisions a call's journal may be held against."""

from __future__ import annotations

# Rises with every change after which `step` may decide otherwise on the same events, and with every class, field and
# enum member of what it takes, holds and gives (events, commands, proposals, verdicts, the state). Journals say which
# core has led their call; byte for byte they are compared with the decisions of that core alone.
# `tests/unit/test_recorded.py` compares the declarations with those of this version and replays a journal of it: where
# they differ, this number has to rise and both to be recorded anew.
CORE = 1
