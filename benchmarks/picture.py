"""Draw the last results of `walk.py` and `pace.py` into `results/speed.png`."""

import json
import statistics
from pathlib import Path
from typing import Final

from matplotlib.figure import Figure

RESULTS: Final = Path(__file__).parent / "results"
LONGEST_BAR: Final = 2.4
OURS, OTHERS, LIBRARIES = "#1f6feb", "#b8bec6", "#6e7781"


def draw_costs(figure: Figure) -> None:
    """Draw bars of the CPU time of a page, as multiples of bare httpx."""
    results = json.loads((RESULTS / "walk.json").read_text())
    base = results["httpx"]["milliseconds_a_page"]
    ratios = {
        name: statistics.median(
            cost / bare for cost, bare in zip(result["milliseconds_a_page"], base, strict=True)
        )
        for name, result in results.items()
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


def draw_pace(figure: Figure) -> None:
    """Draw the share of the permitted pace at each latency, in the worst window."""
    cells = json.loads((RESULTS / "pace.json").read_text())
    latencies = sorted({latency for _, _, latency, *_ in cells})
    query_counts = sorted({count for _, count, *_ in cells})
    axes = figure.add_subplot(2, 1, 2)
    width = 0.8 / len(query_counts)
    for position, count in enumerate(query_counts):
        worst = [
            min(cell[3:] for cell in cells if cell[1:3] == [count, latency])
            for latency in latencies
        ]
        offset = (position - (len(query_counts) - 1) / 2) * width
        centres = [index + offset for index in range(len(latencies))]
        label = "1 query" if count == 1 else f"{count} queries"
        axes.bar(centres, [100 * share for share, _, _ in worst], width * 0.9, label=label)
        ends = [x - width / 2 for x in centres], [x + width / 2 for x in centres]
        possible = [100 * share for _, _, share in worst]
        axes.hlines(possible, *ends, color="black", linewidth=1)
    axes.set_xticks(range(len(latencies)), [f"{seconds * 1e3:.0f} ms" for seconds in latencies])
    axes.set_ylim(0, 112)
    refused = sum(cell[4] for cell in cells)
    axes.set_title(
        f"Share of the permitted pace in %, by latency; {refused} calls refused\n"
        "(black: all of it, or all that one query can ask for)",
        loc="left",
    )
    axes.legend(
        ncols=len(query_counts), loc="lower center", frameon=False, bbox_to_anchor=(0.5, -0.32)
    )
    axes.spines[["top", "right"]].set_visible(False)


def main() -> None:
    figure = Figure(figsize=(8, 7), layout="constrained")
    draw_costs(figure)
    draw_pace(figure)
    figure.savefig(RESULTS / "speed.png", dpi=110)


if __name__ == "__main__":
    main()
