"""Topics of notices are declared once: every notice names one of them, and each of them has notices."""

from __future__ import annotations

import ast

from offhook.policies.core.topics import Topic
from source_tree import sources


def published() -> list[tuple[str, ast.expr]]:
    """Where reducers publish, and the topic as it is written there."""
    return [
        (f"{source}:{node.lineno}", node.args[0])
        for source in sources()
        if source.layer == "policies"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "draft.publish"
    ]


def test_every_notice_has_a_declared_topic_and_every_topic_has_notices() -> None:
    written = {where: ast.unparse(topic) for where, topic in published()}
    declared = {f"Topic.{topic.name}" for topic in Topic}
    strange = {where: topic for where, topic in written.items() if topic not in declared}
    assert not strange, "declare it in policies/core/topics.py"
    assert set(written.values()) == declared, "nothing tells of the others"
