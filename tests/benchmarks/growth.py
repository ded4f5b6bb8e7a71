"""Growth: does a call cost and react the same, whatever the number of calls?

    python tests/benchmarks/growth.py [--calls 1 10 25 50 100 150 200] [--seconds 40] [--json FILE]

One installation a size, with a warm process for each call and none beside them; the black-box probe of `live_calls.py`
interrupts, murmurs and coughs. Starting processes takes about a second each: `--calls 200` alone needs five minutes,
and rows of several runs add up in `--json FILE`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from peers.figures import keep, show
from peers.sides import Offhook, end_orderly, measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, nargs="+", default=[1, 10, 25, 50, 100, 150, 200])
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    end_orderly()
    for place, calls in enumerate(options.calls):
        side = Offhook(calls)
        try:
            row = measure(side, options.seconds)
        finally:
            side.close()
        keep(options.json, "live", side.name, row)
        show("growth", side.name, row, first=place == 0)


if __name__ == "__main__":
    main()
