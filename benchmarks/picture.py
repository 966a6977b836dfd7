"""Draws the last results of `walk.py` and `pace.py`: `results/speed.png`."""

import json
import statistics
from pathlib import Path
from typing import Final

from matplotlib.figure import Figure

RESULTS: Final = Path(__file__).parent / "results"
LONGEST_BAR: Final = 2.4
OURS, OTHERS, LIBRARIES = "#1f6feb", "#b8bec6", "#6e7781"


def costs(figure: Figure) -> None:
    """Bars of the processor's time for a page, as multiples of bare httpx."""
    found = json.loads((RESULTS / "walk.json").read_text())
    base = found["httpx"]["milliseconds_a_page"]
    ratios = {
        name: statistics.median(
            mine / bare for mine, bare in zip(one["milliseconds_a_page"], base, strict=True)
        )
        for name, one in found.items()
    }
    names = sorted(ratios, key=lambda name: ratios[name], reverse=True)
    axes = figure.add_subplot(2, 1, 1)
    colors = [
        OURS if "async" in name else LIBRARIES if "kiwoom" not in name else OTHERS for name in names
    ]
    bars = axes.barh(names, [min(ratios[name], LONGEST_BAR) for name in names], color=colors)
    axes.bar_label(bars, [_label(ratios[name]) for name in names], padding=3)
    axes.set_xlim(0, 2.6)
    axes.set_title("CPU time of a page of 100 rows, bare httpx + json = 1", loc="left")
    axes.spines[["top", "right"]].set_visible(False)


def _label(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio <= LONGEST_BAR else f"{ratio:.1f}, cut"


def pace(figure: Figure) -> None:
    """The share of the permitted pace at each latency, worst window, against the ideal."""
    found = json.loads((RESULTS / "pace.json").read_text())
    latencies = sorted({latency for _, _, latency, *_ in found})
    numbers = sorted({asked for _, asked, *_ in found})
    axes = figure.add_subplot(2, 1, 2)
    width = 0.8 / len(numbers)
    for place, asked in enumerate(numbers):
        cells = [
            min(one[3:] for one in found if one[1:3] == [asked, latency]) for latency in latencies
        ]
        at = [index + (place - (len(numbers) - 1) / 2) * width for index in range(len(latencies))]
        label = "1 query" if asked == 1 else f"{asked} queries"
        axes.bar(at, [100 * share for share, _, _ in cells], width * 0.9, label=label)
        ends = [place - width / 2 for place in at], [place + width / 2 for place in at]
        axes.hlines([100 * ideal for _, _, ideal in cells], *ends, color="black", linewidth=1)
    axes.set_xticks(range(len(latencies)), [f"{late * 1e3:.0f} ms" for late in latencies])
    axes.set_ylim(0, 112)
    refused = sum(one[4] for one in found)
    axes.set_title(
        f"Share of the permitted pace in %, by latency; {refused} calls refused\n"
        "(black: all of it, or all that one query can ask for)",
        loc="left",
    )
    axes.legend(ncols=len(numbers), loc="lower center", frameon=False, bbox_to_anchor=(0.5, -0.32))
    axes.spines[["top", "right"]].set_visible(False)


def main() -> None:
    figure = Figure(figsize=(8, 7), layout="constrained")
    costs(figure)
    pace(figure)
    figure.savefig(RESULTS / "speed.png", dpi=110)


if __name__ == "__main__":
    main()
