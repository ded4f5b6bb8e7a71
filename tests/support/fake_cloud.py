"""A cloud for Ray's autoscaler whose nodes are raylets of this machine, and a cluster on it.

Ray's own fake provider, with two differences: its nodes have names that differ at the beginning, as real ones do, and
its configuration is here, because Ray's wheel leaves the file out. To be started on a machine of its own only
(`own_machine.py`): starting and ending it ends every Ray that it sees.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from ray.autoscaler._private.fake_multi_node.node_provider import FAKE_HEAD_NODE_ID, FakeMultiNodeProvider
from ray.cluster_utils import AutoscalingCluster

HEAD = "ray.head.default"
EMPTY_LISTS = (
    "initialization_commands", "setup_commands", "head_setup_commands", "worker_setup_commands",
    "head_start_ray_commands", "worker_start_ray_commands", "cluster_synced_files", "rsync_exclude", "rsync_filter",
)  # fmt: skip


class FakeCloud(FakeMultiNodeProvider):  # type: ignore[misc]  # Ray ships no types
    """What the autoscaler starts nodes with; it finds this class by name, in the folder of this file."""

    def _next_hex_node_id(self) -> str:
        self._next_node_id += 1
        return hashlib.sha256(f"fake node {self._next_node_id}".encode()).hexdigest()[:56]


class Cloud(AutoscalingCluster):  # type: ignore[misc]
    """A cluster whose autoscaler (v2) starts nodes on that cloud."""

    def _generate_config(
        self,
        head_resources: dict[str, Any],
        worker_node_types: dict[str, Any],
        autoscaler_v2: bool = True,
        **more: Any,
    ) -> dict[str, Any]:
        assert autoscaler_v2, "the first autoscaler may stop a node that has just taken a call"
        head = {"resources": head_resources, "node_config": {}, "max_workers": 0}
        provider = {
            "type": "external",
            "module": f"{Path(__file__).stem}.{FakeCloud.__name__}",
            "use_node_id_as_ip": True,
            "disable_node_updaters": True,
            "disable_launch_config_check": True,
            "launch_multiple": True,
            "head_node_id": FAKE_HEAD_NODE_ID,
        }
        return {
            "cluster_name": "fake",
            "provider": provider,
            "available_node_types": {**worker_node_types, HEAD: head},
            "head_node_type": HEAD,
            "auth": {},
            "docker": {},
            "file_mounts": {},
            "file_mounts_sync_continuously": False,
            "upscaling_speed": 1.0,
            **{name: [] for name in EMPTY_LISTS},
            **more,
        }
