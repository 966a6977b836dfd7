"""Run many programs with one app key for minutes, kill some and start others; run by hand.

    export PYTHONPATH=tests
    python tests/sharing/share_processes.py files:/tmp/shared --seconds 120
    python tests/sharing/share_processes.py redis://localhost:6379/0 --kill-every 6

Prints the exchange's view (the pace, the closest six calls, refusals, tokens) and how long
interactive calls waited. The exit code is 1 if a promise is broken.
"""

import argparse
import random
import statistics
import time

from test_sharing_processes import Exchange, result_of, running_exchange

# More than the programs can walk through in the time.
STOCKS = {"kospi_stocks": 2400, "kosdaq_stocks": 1800}


def run(
    exchange: Exchange, seconds: float, programs: int, kill_every: float
) -> tuple[list[float], list[float]]:
    """Run the programs; return the times of all calls, and how long each interactive one waited."""
    walkers = [exchange.start("walk", walks=3) for _ in range(programs)]
    exchange.wait_for_calls(10)
    asker = exchange.start("ask", calls=int(seconds / 0.9))
    kill_at = time.monotonic() + kill_every
    while asker.poll() is None:
        time.sleep(0.05)
        if kill_every and time.monotonic() >= kill_at:
            victim = walkers.pop(random.randrange(len(walkers)))
            victim.kill()
            walkers.append(exchange.start("walk", walks=3))
            kill_at += random.uniform(0.5, 1.5) * kill_every
    times = [call.time for call in exchange.calls()]
    return times, result_of(asker)


def promises_hold(exchange: Exchange, times: list[float], waits: list[float]) -> bool:
    """Print the measurements; return True if every promise holds."""
    spans = [times[at + 5] - times[at] for at in range(len(times) - 5)]
    share = (len(times) - 1) / (times[-1] - times[0]) / 5
    refused = [call for call in exchange.sandbox.arrivals if call.status == 429]
    tokens = len(exchange.calls("au10001"))
    at_95 = statistics.quantiles(waits, n=20)[-1]
    print(f"{len(times)} calls in {times[-1] - times[0]:.1f} s: {share:.1%} of the pace")
    print(f"the closest six calls: {min(spans):.3f} s; refused: {len(refused)}; tokens: {tokens}")
    print(f"{len(waits)} interactive calls waited {at_95:.3f} s at the 95th percentile")
    return share >= 0.95 and min(spans) >= 1.0 and not refused and tokens == 1 and at_95 < 0.6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("place")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--programs", type=int, default=8)
    parser.add_argument("--kill-every", type=float, default=10.0)
    options = parser.parse_args()
    with running_exchange(options.place, **STOCKS) as exchange:
        times, waits = run(exchange, options.seconds, options.programs, options.kill_every)
        raise SystemExit(0 if promises_hold(exchange, times, waits) else 1)


if __name__ == "__main__":
    main()
