"""Settings: the only place that reads the environment. Everything else is handed what it needs.

A setting comes from the command line, else from the environment (`OFFHOOK_` and its name), else from the default.
Nothing is read at import. What leads a conversation is not a setting but policy (`policies/core/policy.py`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from offhook.policies.language.lines.lines import DEFAULT, section
from offhook.policies.plug_ins.finder import PlugInError, find

from ..contracts.carrier_choice import CarrierChoice
from ..contracts.errors import SettingFault
from . import plug_ins

PREFIX = "OFFHOOK_"
DEPLOYED = "deployed"  # by somebody else in this cluster (`serve deploy cluster/deploy/serve.yaml`)
NO_RECOGNIZER = "none"
IN_CALLS = ("clip", "tone")  # what a call speaks with by itself, without an engine
CARRIER_OPTIONS = "carrier_options"  # the one setting that is many variables
OVERFLOWS = ("busy", "queue", "redirect")
MESSAGES = section(DEFAULT, "installation")  # what an installation says by itself: "queue", "sorry", "unreached"
LOG_FORMATS = ("text", "json")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
RUNTIME_DIR_BYTES_MAX = 60  # a Unix socket's path has 107 bytes (unix(7)); the parts of a node append up to 47


@dataclass(frozen=True, slots=True)
class Settings:
    """How one installation runs. `""` and 0 stand for "not set" where a value may be missing."""

    host: str = "127.0.0.1"  # where the API, the media port and the metrics listen
    port: int = 8000
    media_port: int = 8790
    metrics_port: int = 9464  # where each node shows its metrics (the director its own one above); 0 = any free ones
    spares: int = 2  # warm call actors kept beyond the live calls
    slots: int = 250  # of one node: live calls and spares together at most
    policies: tuple[str, ...] = ()  # bundles, or folders of bundles; the first one leads calls that name none
    recognizer: str = NO_RECOGNIZER  # the name of an engine that is installed (`plug_ins.py`), "deployed" or "none"
    synthesizer: str = "tone"  # the same, "deployed", "clip" or "tone"; OFFHOOK_VOICE is its former name
    engines: int = 1  # replicas of recognizer and synthesizer each; Ray Serve spreads them over the nodes
    clips: str = ""  # the folder of WAV files for `synthesizer` "clip"
    address: str = ""  # of a Ray cluster to join; empty = start Ray here
    cpus: int = 0  # for a Ray that is started here; 0 = as found
    journal: str = field(default="", repr=False)  # redis://... for a cluster (may hold a password); empty = SQLite
    tools: str = ""  # a YAML file: which actions are carried out by which HTTP tools
    state_dir: str = ""  # what lasts: the state file, journals, bundles, logs
    runtime_dir: str = ""  # a short path to the state directory, for the Unix sockets in it
    public_url: str = ""  # how carriers reach the API, where that is not the address they used (a proxy, a tunnel)
    public_media_url: str = ""  # how carriers reach the media port: ws(s)://host[:port]
    media_secret: str = field(default="", repr=False)  # signs media tokens; empty = a new one at every start
    publish_key: str = field(default="", repr=False)  # signs bundles; where it is set, unsigned ones are refused
    # That may bring calls, as their entry points are called; the first one's media protocol is spoken where nothing
    # else is said.
    carriers: tuple[str, ...] = ("twilio",)
    # By carrier: what stands in the environment as OFFHOOK_NAME_OPTION, in lower case; the carrier says which.
    carrier_options: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    spares_max: int = 0  # above `spares`: a node's spares follow the traffic, up to so many; 0 = they do not
    blocking: float = 0.001  # share of callers that may find no slot
    burst: float = 0.999  # share of lead times whose arrivals the reserve holds
    slots_per_node: int = 100  # calls that a node carries which the autoscaler starts (its `call_slot` resource)
    nodes_min: int = 1
    nodes_max: int = 0  # how many nodes the autoscaler may be asked for; 0 = it is not asked, no node is let go
    nodes_lost: int = 1  # that may fail together without a call being refused
    holding_s: float = 180.0  # how long a call lasts, until enough of them have been seen
    calm_s: float = 600.0  # how long less must have been enough before a node is let go
    overflow: str = "busy"  # what becomes of a call that gets no slot within ring_s: busy, queue, redirect
    queue_s: float = 120.0  # how long a caller may stay in the queue
    queue_message: str = MESSAGES["queue"]  # said to them; or the URL of a recording
    # Said to callers whose call cannot be taken or go on; or the URL of a recording.
    sorry_message: str = MESSAGES["sorry"]
    unreached_message: str = MESSAGES["unreached"]  # ... whom nobody took after a transfer, and whose call is over
    redirect_to: str = ""  # the number for `overflow` redirect
    late_ms: float = 30.0  # reaction lag at which a node takes no more calls
    admission: str = ""  # a YAML file with tenants' limits and slots kept for priorities (examples/admission.yaml)
    prices: str = ""  # a YAML file: the price table (examples/prices.yaml)
    log_format: str = "text"  # of what Ray's log files hold of offhook's processes: text or json, both with all fields
    log_level: str = "WARNING"  # INFO also tells what went as it should
    resume_s: float = 60.0  # how long a call whose node was lost waits for its carrier; then it is closed
    ring_s: float = 5.0  # how long a caller rings while no spare is free; carriers give up on a webhook after 15 s
    recognizer_options: str = field(default="", repr=False)  # of its engine (may hold a key): "name=value name=value"
    synthesizer_options: str = field(default="", repr=False)
    language: str = DEFAULT  # of the three messages above, where they are not set; a call's is its policy's

    def __post_init__(self) -> None:
        _between("port", self.port, 0, 65_535)
        _between("media_port", self.media_port, 0, 65_535)
        _between("metrics_port", self.metrics_port, 0, 65_534)
        _between("spares", self.spares, 0, 1_000)
        _between("slots", self.slots, 1, 10_000)
        _between("engines", self.engines, 1, 1_000)
        _between("cpus", self.cpus, 0, 4_096)
        _between("ring_s", self.ring_s, 0, 12)
        _between("spares_max", self.spares_max, 0, 1_000)
        _between("blocking", self.blocking, 1e-6, 0.5)
        _between("burst", self.burst, 0, 0.999999)
        _between("slots_per_node", self.slots_per_node, 1, 100_000)
        _between("nodes_min", self.nodes_min, 0, 100_000)
        _between("nodes_max", self.nodes_max, 0, 100_000)
        _between("nodes_lost", self.nodes_lost, 0, 1_000)
        _between("holding_s", self.holding_s, 0.1, 86_400)
        _between("calm_s", self.calm_s, 0, 86_400)
        _between("queue_s", self.queue_s, 0, 3_600)
        _between("late_ms", self.late_ms, 1, 10_000)
        _one_of("overflow", self.overflow, OVERFLOWS)
        if self.overflow == "redirect" and not self.redirect_to:
            raise SettingFault("overflow redirect needs redirect_to: the number that callers are sent to")
        _between("resume_s", self.resume_s, 1, 3_600)
        _one_of("log_format", self.log_format, LOG_FORMATS)
        _one_of("log_level", self.log_level, LOG_LEVELS)
        _engine("recognizer", self.recognizer, plug_ins.RECOGNIZERS, (DEPLOYED, NO_RECOGNIZER))
        _engine("synthesizer", self.synthesizer, plug_ins.SYNTHESIZERS, (DEPLOYED, *IN_CALLS))
        for name in ("recognizer_options", "synthesizer_options"):
            plug_ins.read_options(name, getattr(self, name))
        _starts("journal", self.journal, ("redis://", "rediss://", "unix://", "sqlite:///"))
        _starts("public_url", self.public_url, ("http://", "https://"))
        _starts("public_media_url", self.public_media_url, ("ws://", "wss://"))
        if self.port and self.port == self.media_port:
            raise SettingFault(f"port and media_port are both {self.port}; they must differ")
        if len(self.runtime_dir.encode()) > RUNTIME_DIR_BYTES_MAX:
            room = RUNTIME_DIR_BYTES_MAX
            raise SettingFault(f"runtime_dir {self.runtime_dir!r} is too long for Unix sockets; at most {room} bytes")

    @property
    def carrier_choices(self) -> tuple[CarrierChoice, ...]:
        """The carriers with their options, for whoever loads them."""
        return tuple(CarrierChoice(name, dict(self.carrier_options.get(name, {}))) for name in self.carriers)

    @property
    def state_path(self) -> Path:
        """The state directory."""
        return Path(self.state_dir)

    @property
    def state_file(self) -> Path:
        """Where a running installation says how to reach it."""
        return self.state_path / "running.json"


def read(environ: Mapping[str, str] | None = None, **chosen: Any) -> Settings:
    """Settings from the command line (`chosen`; None = not given), the environment and the defaults.

    Raises:
        SettingFault: a value that the setting cannot have; the message says where it came from.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    for item in fields(Settings):
        name = next((name for name in _names(item.name) if name in environ), "")
        if name and item.name != CARRIER_OPTIONS:
            values[item.name] = _parse(name, environ[name], getattr(_DEFAULTS, item.name))
    values.update({name: value for name, value in chosen.items() if value is not None})
    values = {**_messages(values.get("language", DEFAULT)), **values}
    carriers = values.get("carriers", _DEFAULTS.carriers)
    values[CARRIER_OPTIONS] = {name: _options_of(name, environ) for name in carriers}
    values["state_dir"] = str(Path(values.get("state_dir") or _default_state_dir(environ)).expanduser().resolve())
    name = hashlib.sha256(values["state_dir"].encode()).hexdigest()[:8]  # one path a state directory
    values["runtime_dir"] = values.get("runtime_dir") or f"/tmp/offhook-{os.getuid()}/{name}"
    values["policies"] = tuple(str(Path(each).expanduser().resolve()) for each in values.get("policies", ()))
    for name in ("clips", "admission", "prices", "tools"):
        if values.get(name):
            values[name] = str(Path(values[name]).expanduser().resolve())
    return replace(_DEFAULTS, **values)


def _messages(language: str) -> dict[str, str]:
    """What the installation says in this language.

    Raises:
        SettingFault: it is not installed.
    """
    try:
        return {f"{name}_message": text for name, text in section(language, "installation").items()}
    except PlugInError as error:
        raise SettingFault(f"setting language: {error}") from error


def unknown(environ: Mapping[str, str]) -> list[str]:
    """What looks like a setting of ours in the environment and is none, each with the nearest one that is.

    Options of the carriers that are used are the carriers' to judge (`carriers/registry.py`).
    """
    known = [name for item in fields(Settings) for name in _names(item.name)]
    carriers = _DEFAULTS.carriers
    if given := environ.get(_variable("carriers")):
        carriers = _parse(_variable("carriers"), given, carriers)
    options = tuple(_variable(name) + "_" for name in carriers)
    strange = sorted(name for name in environ if name.startswith(PREFIX) and name not in known)
    strange = [name for name in strange if not name.startswith(options)]
    return [
        " - ".join((name, *(f"did you mean {each}?" for each in get_close_matches(name, known, 1)))) for name in strange
    ]


def _names(setting: str) -> tuple[str, ...]:
    """How the environment may name a setting, the present name first."""
    return tuple(map(_variable, (setting, *_FORMER.get(setting, ()))))


def _variable(name: str) -> str:
    """The environment variable of a setting, or what those of a carrier begin with."""
    return PREFIX + name.upper().replace("-", "_")


def _options_of(carrier: str, environ: Mapping[str, str]) -> dict[str, str]:
    own = {name for item in fields(Settings) for name in _names(item.name)}
    prefix = _variable(carrier) + "_"
    return {
        name.removeprefix(prefix).lower(): value
        for name, value in environ.items()
        if name.startswith(prefix) and name not in own
    }


def prepare_ray_environment() -> None:
    """What Ray reads from the environment, and what its workers inherit; what is set already stays.

    Call it before Ray is imported: it reads some of it then.
    """
    for name, value in _RAY_ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def _default_state_dir(environ: Mapping[str, str]) -> str:
    """Source: XDG Base Directory Specification 0.8, XDG_STATE_HOME."""
    home = environ.get("XDG_STATE_HOME", "")
    return f"{home}/offhook" if home.startswith("/") else "~/.local/state/offhook"


def _parse(name: str, raw: str, default: Any) -> Any:
    try:
        if isinstance(default, tuple):
            return tuple(each for each in raw.split(os.pathsep) if each)
        return type(default)(raw)
    except ValueError:
        kind = {int: "a whole number", float: "a number"}[type(default)]
        # Kubernetes tells every pod of every Service so; one that is called offhook writes over OFFHOOK_PORT.
        hint = (
            "; a Service of Kubernetes is called so: set enableServiceLinks: false" if raw.startswith("tcp://") else ""
        )
        raise SettingFault(f"{name}={raw!r} is not {kind}{hint}") from None


def _between(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise SettingFault(f"{name} {value} is not between {low} and {high}")


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise SettingFault(f"{name} {value!r} is not one of: {', '.join(allowed)}")


def _engine(setting: str, value: str, group: str, others: tuple[str, ...]) -> None:
    if value in others:
        return  # nobody asks what is installed
    try:
        find(group, value, others)
    except PlugInError as error:
        raise SettingFault(f"setting {setting}: {error}") from error


def _starts(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value and not value.startswith(allowed):
        raise SettingFault(f"{name} {value!r} must start with {' or '.join(allowed)}")


_FORMER = {"synthesizer": ("voice",)}
_DEFAULTS = Settings()

_RAY_ENVIRONMENT = {
    "RAY_worker_niceness": "0",  # Ray's default is 15: live calls would yield to everything else on the machine
    "RAY_USAGE_STATS_ENABLED": "0",
    # Nobody reads the tasks' events, and a process that reports none has a thread and 4 wake-ups a second less.
    "RAY_task_events_report_interval_ms": "0",
    # Ray prints its own remarks on standard output, where `--json` puts its line; they stay in Ray's log files.
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",
}
