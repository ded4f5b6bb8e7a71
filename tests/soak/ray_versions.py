"""The oldest and the newest Ray that offhook supports, each in its own environment: the tests that lean on Ray most.

    python tests/soak/ray_versions.py [--only 2.57] [--keep FOLDER]

The versions are read from pyproject.toml. Packages other than Ray are those of requirements.txt.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = (
    "tests/ray/test_supervised_call.py",
    "tests/ray/test_up.py",
    "tests/ray/test_director.py",
    "tests/fault/test_autoscaler.py",
    "tests/fault/test_control_store_loss.py",
    "tests/fault/test_raylet_loss.py",
)


def supported() -> tuple[str, str]:
    """The oldest and the newest minor version, "2.57" and "2.60"."""
    found = re.search(r'"ray\[serve\]>=(\d+)\.(\d+),<(\d+)\.(\d+)"', (ROOT / "pyproject.toml").read_text())
    assert found is not None, "pyproject.toml names no range of Ray"
    return f"{found[1]}.{found[2]}", f"{found[3]}.{int(found[4]) - 1}"


def environment(folder: Path, minor: str) -> Path:
    """An environment with that Ray; returns its bin folder."""
    place = folder / f"ray-{minor}"
    if not (place / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        pip = [place / "bin" / "pip", "install", "-q"]
        subprocess.run([*pip, "--require-hashes", "-r", ROOT / "requirements.txt"], check=True)
        subprocess.run([*pip, f"ray[serve]=={minor}.*"], check=True)
        subprocess.run([*pip, "--no-deps", "-e", ROOT], check=True)
        (place / "ready").touch()
    return place / "bin"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="this minor version alone")
    parser.add_argument("--keep", type=Path, help="keep the environments in this folder")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="ray-versions-"))
    failed = []
    for minor in (options.only,) if options.only else supported():
        print(f"Ray {minor}", flush=True)
        programs = environment(folder, minor)
        done = subprocess.run([programs / "pytest", "-q", "-p", "no:cacheprovider", *TESTS], cwd=ROOT, check=False)
        if done.returncode:
            failed.append(minor)
    sys.exit(f"failed with Ray {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
