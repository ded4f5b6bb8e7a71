"""Environments of the peers: one virtual environment each, outside of the project, with pinned versions.

    python tests/benchmarks/peers/environments.py [--env FOLDER] [pipecat celery livekit]

Made once and found again by the hash of its requirements, so that a change of versions makes a new one. The project's
own environment never holds a peer.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
LAYERS = ("policies", "actors")  # what a peer may use of the project: the pure core, and the link where it drives
DEFAULT = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "offhook-benchmarks"


def python_of(peer: str, folder: Path = DEFAULT) -> str:
    """The interpreter of a peer's environment, which is made where it is missing (a minute, over the network)."""
    wanted = HERE / f"requirements-{peer}.txt"
    digest = hashlib.sha256(wanted.read_bytes() + sys.version.encode()).hexdigest()[:10]
    home = folder / f"{peer}-{digest}"
    python = home / "bin" / "python"
    if not (home / ".ready").exists():
        print(f"making {home} (once)", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        quiet = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*quiet, "-r", str(wanted)], check=True, stdout=sys.stderr)
        (home / ".ready").touch()
    _point_here(home / "namespace" / "offhook")
    return str(python)


def _point_here(namespace: Path) -> None:
    """The environment is kept for all checkouts of the project; this one's layers are to be measured."""
    namespace.mkdir(parents=True, exist_ok=True)
    for layer in LAYERS:
        (namespace / layer).unlink(missing_ok=True)
        (namespace / layer).symlink_to(ROOT / layer)


def variables_of(python: str) -> dict[str, str]:
    """The variables under which a peer's program finds the pure core; nothing else of the project is on its path."""
    return {**os.environ, "PYTHONPATH": str(Path(python).parents[1] / "namespace")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peers", nargs="*", default=["pipecat", "celery", "livekit"])
    parser.add_argument("--env", type=Path, default=DEFAULT)
    options = parser.parse_args()
    for peer in options.peers:
        print(python_of(peer, options.env))


if __name__ == "__main__":
    main()
