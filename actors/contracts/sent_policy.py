"""Reads a policy that another process has sent or an earlier life has kept, maybe of another release, and tells in the
log, once, what it passed over. What policies hold is `policies/core/policy.py`; authors' files are read by
`serve/bundles/policy_files.py`, which refuses what it does not know.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from offhook.policies.core.policy import Policy, recorded_policy

log = logging.getLogger(__name__)

_told: set[str] = set()  # names of fields; as many as another release has beside ours


def sent_policy(plain: Mapping[str, Any]) -> Policy:
    """The policy; fields of another release are passed over, and each is told once in this process's log.

    Raises:
        PolicyError: it cannot be read here; each field of it that is at fault is named.
    """
    unknown: set[str] = set()
    policy = recorded_policy(plain, unknown)
    if fresh := unknown - _told:
        _told.update(fresh)
        log.warning(
            "a policy has fields that this release does not know, and is led without them: %s", ", ".join(sorted(fresh))
        )
    return policy
