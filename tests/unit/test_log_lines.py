"""How the processes of an installation log: what a message carries beside its words must be in the line."""

from __future__ import annotations

import json
import logging

from offhook.serve.config.settings import read
from offhook.serve.installation.app import logs_of
from ray._common.formatters import JSONFormatter, TextFormatter

SAID = {"name": "offhook.actors.node.takeover", "msg": "call taken over", "levelname": "WARNING"}


def line(formatter: JSONFormatter | TextFormatter) -> str:
    formatter.set_additional_log_standard_attrs(logs_of(read({})).py_logging_config.additional_log_standard_attrs)
    return str(formatter.format(logging.makeLogRecord({**SAID, "call": "call-1", "epoch": 2})))


def test_a_line_of_json_has_the_module_the_call_and_its_epoch() -> None:
    told = json.loads(line(JSONFormatter()))
    assert (told["name"], told["call"], told["epoch"]) == (SAID["name"], "call-1", 2)
    assert (told["message"], told["levelname"]) == ("call taken over", "WARNING")


def test_a_line_of_text_has_them_too() -> None:
    told = line(TextFormatter())
    assert "call taken over" in told and "call=call-1" in told and "epoch=2" in told


def test_the_settings_say_how() -> None:
    logs = logs_of(read({"OFFHOOK_LOG_FORMAT": "json", "OFFHOOK_LOG_LEVEL": "INFO"})).py_logging_config
    assert (logs.encoding, logs.log_level) == ("JSON", "INFO")
    assert logs_of(read({})).py_logging_config.encoding == "TEXT"
