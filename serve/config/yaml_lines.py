"""YAML with the line of every value, for files whose errors must name lines. Safe: plain values only.

What YAML itself lets pass in silence (a key written twice) is refused. Source of the marks: PyYAML's nodes.
"""

from __future__ import annotations

from typing import Any

import yaml
from offhook.policies.core.errors import CallerFault

Place = tuple[str | int, ...]  # the keys and positions that lead to a value
DEPTH_MAX = 32
VALUES_MAX = 20_000  # aliases make a small file large
NUMBER_CHARS_MAX = 64  # YAML reads "1:1:1:..." to the base of 60, in a time that grows with the square of its length

_NUMBER_TAGS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_PLAIN_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


class YamlFault(CallerFault):
    """Why a text cannot be read, and where (lines count from 1)."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(line, reason)
        self.line = line
        self.reason = reason


def read(text: str) -> tuple[Any, dict[Place, int]]:
    """The value of a YAML text, and the line of each place in it; a mapping's entry has the line of its key.

    Raises:
        YamlFault: not YAML, more than one document, a key twice, or a tag that asks for more than plain values.
    """
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        lines: dict[Place, int] = {(): 1}
        return (None if node is None else _value(loader, node, (), lines)), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = error.problem or "not YAML"
        raise YamlFault(mark.line + 1 if mark else 1, f"not YAML: {reason}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise YamlFault(1, f"not YAML: {error}") from None
    finally:
        loader.dispose()


def _value(loader: yaml.SafeLoader, node: yaml.Node, place: Place, lines: dict[Place, int]) -> Any:
    line = node.start_mark.line + 1
    lines.setdefault(place, line)
    if len(place) > DEPTH_MAX or len(lines) > VALUES_MAX:
        raise YamlFault(line, f"deeper than {DEPTH_MAX} levels, or more than {VALUES_MAX} values")
    if isinstance(node, yaml.CollectionNode) and node.tag not in _PLAIN_TAGS:
        raise YamlFault(
            line, f"not YAML: {node.tag.removeprefix('tag:yaml.org,2002:')!r} asks for more than plain values"
        )
    if isinstance(node, yaml.SequenceNode):
        return [_value(loader, each, (*place, index), lines) for index, each in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return _scalar(loader, node)
    mapping: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key_line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise YamlFault(key_line, "a key must be a plain word")
        key = _scalar(loader, key_node)
        if key in mapping:
            raise YamlFault(key_line, f"{key!r} is written twice, first in line {lines[(*place, key)]}")
        lines[(*place, key)] = key_line
        mapping[key] = _value(loader, value_node, (*place, key), lines)
    return mapping


def _scalar(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    if node.tag in _NUMBER_TAGS and len(node.value) > NUMBER_CHARS_MAX:
        raise YamlFault(
            node.start_mark.line + 1, f"a number of {len(node.value)} characters; {NUMBER_CHARS_MAX} are allowed"
        )
    return loader.construct_object(node)
