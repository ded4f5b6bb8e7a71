"""Composes everything: starts Ray here or joins a cluster, then supervisor, gateway, engines and API; and stops it.

The only place that knows all the parts. Each part is told what it needs; nothing below reads a setting. What is started
is detached, so that `offhook up` could die without ending a call; it stops it when it is asked to end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray
from offhook.actors.contracts.errors import EngineAway, WrongSound
from offhook.actors.engines.sources import ClipSource
from offhook.actors.node.bundle_archive import pack
from offhook.actors.refs.handles import NAMESPACE
from offhook.actors.refs.supervisor import SupervisorRef
from offhook.cluster.director import HEAD, start_director
from offhook.cluster.director_ref import DirectorRef
from ray import serve
from ray.job_config import JobConfig
from ray.serve import RunTarget
from ray.serve.schema import LoggingConfig

from ..bundles import policy_files
from ..bundles.policy_files import Bundle
from ..callers.clips import stock_clips
from ..carriers import registry
from ..client import running
from ..client.cluster_client import ClusterClient
from ..client.running import Running
from ..config import tables
from ..config.addresses import free_port, someone_listens
from ..config.capacity_settings import rules_of
from ..config.plug_ins import read_options
from ..config.settings import DEPLOYED, IN_CALLS, NO_RECOGNIZER, Settings, prepare_ray_environment
from ..config.tool_file import read_tools
from ..contracts.errors import SettingFault, StartFault
from ..gateway import tokens
from ..gateway.gateway_actor import GatewayStart
from ..web.api import make_api
from ..web.public_addresses import PublicAddresses

log = logging.getLogger(__name__)

API = "offhook-api"
ENGINES = ("offhook-recognizer", "offhook-synthesizer")
ANY_PORT, NO_PORT = 0, -1  # of an engine, for calls on other machines
READY_WITHIN_S = 120.0  # for the first spares on a machine that is busy; 5 s on one that is not
SPARE_S = 2.0  # on top of that, for each spare: its process takes about one second to start
OBJECT_STORE_BYTES = 100 << 20  # offhook keeps nothing in it; Ray's default would take a third of the memory
API_REQUESTS_MAX = 1_000  # callers that ring are requests under way
LOG_FIELDS = ["name"]  # the module that speaks; Ray adds node and actor, the message its own (call, epoch)

_QUIET = LoggingConfig(log_level="WARNING", enable_access_log=False)  # a line a request would be a line a look

Progress = Callable[[str], None]


class Installation:
    """One installation on this node."""

    def __init__(self, settings: Settings, progress: Progress = lambda _what: None) -> None:
        self._settings = settings
        self._progress = progress
        self._bundles: list[Bundle] = []
        self._director: DirectorRef | None = None
        self._apps: list[str] = []
        self._joined = False
        self._serve_was_here = False

    def start(self) -> Running:
        """Start everything; returns when calls can be taken.

        Raises:
            PolicyError, SettingFault: what was handed in cannot be used; nothing was started.
            StartFault: something did not come up; what was started before it is stopped.
        """
        settings = self._settings
        if not settings.policies:
            raise SettingFault("no policy to lead calls by; give one: --policy DIR, a folder with a policy.yaml in it")
        self._bundles = policy_files.find(settings.policies)
        registry.load(settings.carrier_choices)
        read_tools(settings.tools)  # what is wrong with it is said before anything is started
        _check_clips(settings.clips)
        before = running.read(settings.state_file)
        if before is not None and before.alive():
            raise StartFault(f"offhook already runs here: process {before.pid}, {before.api}; end it: offhook down")
        _make_folders(settings)
        self._settings = settings = replace(
            settings,
            port=free_port("port", settings.host, settings.port),
            media_port=free_port("media_port", settings.host, settings.media_port),
            media_secret=settings.media_secret or tokens.new_secret(),
        )
        someone_listens(settings.address)
        try:
            self._join_ray()
            return asyncio.run(self._compose())
        except BaseException:
            with contextlib.suppress(Exception):
                self.stop()
            raise

    def stop(self) -> None:
        """Say goodbye on every line and end what was started, the last one first."""
        running.forget(self._settings.state_file, os.getpid())
        if ray.is_initialized():
            asyncio.run(self._decompose())
            ray.shutdown()

    # --- up ---------------------------------------------------------------------------------------------------------

    def _join_ray(self) -> None:
        settings = self._settings
        prepare_ray_environment()
        for name in ("ray", "ray.serve"):  # standard error is for what the user can act on
            logging.getLogger(name).setLevel(logging.ERROR)
        # Ray puts the working directory on every worker's path; the repository's folders must not be importable there.
        os.chdir(settings.state_path)
        self._progress(f"joining Ray at {settings.address}" if settings.address else "starting Ray")
        options: dict[str, Any] = {"namespace": NAMESPACE, "log_to_driver": False, "logging_level": logging.ERROR}
        options["job_config"] = logs_of(settings)
        if not settings.address:
            options |= {"num_cpus": settings.cpus or None, "include_dashboard": False}
            options |= {"object_store_memory": OBJECT_STORE_BYTES}
        try:
            ray.init(settings.address or "local", **options)
        except (ConnectionError, ValueError, RuntimeError) as error:
            what = f"Ray at {settings.address!r} cannot be joined" if settings.address else "Ray did not start"
            raise StartFault(f"{what}: {error}") from error
        self._joined = bool(settings.address)
        self._serve_was_here = _serve_runs()

    async def _compose(self) -> Running:
        settings = self._settings
        self._progress("starting supervisors, gateways, engines and API")
        choices = settings.carrier_choices
        gateways = GatewayStart(settings.host, settings.media_port, settings.media_secret, choices)
        rules = rules_of(settings)
        director = start_director(_supervisor_options(settings), gateways, settings.resume_s, rules)
        self._director = director
        for bundle in reversed(self._bundles):  # the default last: the latest one published is the inside's default
            kept = await asyncio.to_thread(_keep, bundle, settings.state_path / "bundles")
            parcel = await asyncio.to_thread(pack, kept)
            lead = "default" if bundle is self._bundles[0] else "start"
            told = await director.publish_policy(bundle.version, bundle.plain(), parcel, lead)
            if not told.leads:
                self._progress(
                    f"{bundle.name}: what was made to lead since the last start leads on (offhook policy list)"
                )
        engines, recognizer, synthesizer = self._choose_engines()
        await asyncio.gather(
            # All applications in one go: Serve comes up once, and its builder is not made for several threads.
            asyncio.to_thread(self._serve, [self._api(), *engines]),
            director.ready(),
        )
        await director.engines(recognizer, synthesizer)
        self._progress(f"warming {settings.spares} spares")
        for node in await director.nodes():
            if not settings.nodes_max:  # else spares stand on nodes that the autoscaler may have to start first
                await SupervisorRef.find(node).ready(settings.spares, READY_WITHIN_S + SPARE_S * settings.spares)
        ready = self._running()
        running.write(settings.state_file, ready)
        return ready

    def _serve(self, targets: list[RunTarget]) -> None:
        settings = self._settings
        serve.start(http_options={"host": settings.host, "port": settings.port}, logging_config=_QUIET)
        self._apps = [target.name for target in targets]
        try:
            serve.run_many(targets)
        except RuntimeError as error:
            raise StartFault(f"{', '.join(self._apps)}: not all of them came up: {error}") from error
        if self._serve_was_here:  # a Serve that was here before keeps the address that it was started with
            running.Api(self._running().api).get("/healthz")

    def _api(self) -> RunTarget:
        settings = self._settings
        door = PublicAddresses(
            secret=settings.media_secret,
            media_port=settings.media_port,
            public_url=settings.public_url,
            public_media_url=settings.public_media_url,
            carriers=settings.carrier_choices,
            publish_key=settings.publish_key,
            bundles_dir=str(settings.state_path / "bundles"),
            ring_s=settings.ring_s,
            queue_message=settings.queue_message,
            sorry_message=settings.sorry_message,
            unreached_message=settings.unreached_message,
            language=settings.language,
        )

        def api() -> Any:
            return make_api(ClusterClient(), door)

        options = {"num_replicas": 1, "max_ongoing_requests": API_REQUESTS_MAX, "logging_config": _QUIET}
        options |= {"ray_actor_options": {"num_cpus": 0, "resources": {HEAD: 0.001}}}  # beside the director
        return RunTarget(serve.deployment(serve.ingress(api)(), name="api", **options).bind(), API, "/")

    def _choose_engines(self) -> tuple[list[RunTarget], dict[str, Any], dict[str, Any]]:
        """The engines to be served, and what calls are told of recognizer and synthesizer."""
        settings = self._settings
        targets: list[RunTarget] = []
        recognizer: dict[str, Any] = {"kind": "none"}
        synthesizer: dict[str, Any] = {"kind": "tone"}
        if settings.recognizer != NO_RECOGNIZER:
            recognizer = {"kind": "link"}
            if settings.recognizer != DEPLOYED:
                from ..engines.deployments import recognizer as make_recognizer

                options = read_options("recognizer_options", settings.recognizer_options)
                targets.append(self._engine_target(ENGINES[0], make_recognizer, settings.recognizer, options))
        if settings.synthesizer == "clip":
            synthesizer = {"kind": "clip", "clips": str(self._clips())}
        elif settings.synthesizer not in IN_CALLS:
            synthesizer = {"kind": "link", "clips": settings.clips}
            if settings.synthesizer != DEPLOYED:
                from ..engines.deployments import synthesizer as make_synthesizer

                options = read_options("synthesizer_options", settings.synthesizer_options)
                targets.append(self._engine_target(ENGINES[1], make_synthesizer, settings.synthesizer, options))
        return targets, recognizer, synthesizer

    def _engine_target(self, app: str, make: Callable[..., Any], engine: str, options: Mapping[str, str]) -> RunTarget:
        """Its replicas tell the director where they listen: in a Ray that was started here, on this machine only."""
        port = ANY_PORT if self._joined else NO_PORT
        return RunTarget(make(engine, options, self._settings.engines, port), app, None)

    def _clips(self) -> Path:
        bundled = self._bundles[0].path / "clips"
        if self._settings.clips:
            return Path(self._settings.clips)
        return bundled if bundled.is_dir() else stock_clips(self._settings.state_path / "clips")

    def _running(self) -> Running:
        settings, default = self._settings, self._bundles[0]
        host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host
        api = f"http://{host}:{settings.port}"
        return Running(
            api=api,
            media=f"ws://{host}:{settings.media_port}{tokens.MEDIA_PATH}",
            console=f"{api}/console",
            policy=default.name,
            policy_version=default.version,
            pid=os.getpid(),
            pid_born=running.born(os.getpid()),
            ray=ray.get_runtime_context().gcs_address,
            ray_started_here=not self._joined,
            state_dir=settings.state_dir,
        )

    # --- down -------------------------------------------------------------------------------------------------------

    async def _decompose(self) -> None:
        if self._director is not None:
            await _quietly(self._director.stop())
        if self._apps and not self._serve_was_here:
            await _quietly(asyncio.to_thread(serve.shutdown))
            return
        for app in self._apps:
            await _quietly(asyncio.to_thread(serve.delete, app))


def logs_of(settings: Settings) -> JobConfig:
    """How every process of the job logs; this program does not (`ray.init(logging_config=...)` would have it do so)."""
    job = JobConfig()
    job.set_py_logging_config(ray.LoggingConfig(settings.log_format.upper(), settings.log_level, LOG_FIELDS))
    return job


def _check_clips(folder: str) -> None:
    """Recordings are read by every call anew; one that cannot be would cost each of them its voice."""
    try:
        if folder:
            ClipSource(folder)
    except (EngineAway, WrongSound) as fault:
        raise SettingFault(f"clips: {fault}") from fault


def _serve_runs() -> bool:
    """Whether the cluster has a Serve already; it is shared then, and not ours to stop."""
    return any(actor["name"] == "SERVE_CONTROLLER_ACTOR" for actor in ray.util.list_named_actors(all_namespaces=True))


def _supervisor_options(settings: Settings) -> dict[str, Any]:
    return {
        "state_dir": settings.runtime_dir,
        "journal": settings.journal,
        "metrics_host": settings.host,
        "metrics_port": settings.metrics_port,
        "spares": settings.spares,
        "slots_max": settings.slots,
        "ring_ms": max(1, round(settings.ring_s * 1_000)),
        "prices": tables.read_prices(Path(settings.prices) if settings.prices else None).model_dump(),
        "tools": read_tools(settings.tools),
    }


def _make_folders(settings: Settings) -> None:
    """The state directory, and a short path to it: Unix sockets' paths are limited, a home directory's are not."""
    settings.state_path.mkdir(parents=True, exist_ok=True, mode=0o700)
    link = Path(settings.runtime_dir)
    link.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    owner = link.parent.stat().st_uid
    if owner != os.getuid():
        raise StartFault(f"{link.parent} belongs to user {owner}; choose another place with OFFHOOK_RUNTIME_DIR")
    if link.is_symlink() and link.resolve() != settings.state_path:
        link.unlink()
    if not link.exists():
        link.symlink_to(settings.state_path, target_is_directory=True)


def _keep(bundle: Bundle, folder: Path) -> Path:
    """A copy under the bundle's version: what is edited later must not run under the old name."""
    kept = folder / bundle.version
    if not kept.is_dir():
        fresh = folder / f".{bundle.version}.{os.getpid()}.{time.time_ns()}"
        shutil.copytree(bundle.path, fresh, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        with contextlib.suppress(OSError):  # another start was faster
            fresh.rename(kept)
        shutil.rmtree(fresh, ignore_errors=True)
    return kept


async def _quietly(work: Awaitable[Any]) -> None:
    """Stopping goes on past a part that cannot be stopped: Ray ends it, or it is gone already."""
    try:
        async with asyncio.timeout(20):
            await work
    except Exception as error:
        log.debug("while stopping: %s", error)
