"""Draw the last results of `walk.py` and `pace.py` into `results/speed.png`."""

import json
import statistics
from pathlib import Path
from typing import Final

from matplotlib.figure import Figure

RESULTS: Final = Path(__file__).parent / "results"
MAX_BAR_LENGTH: Final = 2.4
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
    bars = axes.barh(names, [min(ratios[name], MAX_BAR_LENGTH) for name in names], color=colors)
    axes.bar_label(bars, [_label(ratios[name]) for name in names], padding=3)
    axes.set_xlim(0, 2.6)
    axes.set_title("CPU time of a page of 100 rows, bare httpx + json = 1", loc="left")
    axes.spines[["top", "right"]].set_visible(False)


def _label(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio <= MAX_BAR_LENGTH else f"{ratio:.1f}, cut"


def draw_pace(figure: Figure) -> None:
    """Draw bars of the share of the permitted pace on each line, with the calls refused."""
    lines = json.loads((RESULTS / "pace.json").read_text())
    names = list(reversed(lines))
    axes = figure.add_subplot(2, 1, 2)
    for kind, (label, color) in enumerate([("bulk", OURS), ("interactive", OTHERS)]):
        places = [index + 0.2 - 0.4 * kind for index in range(len(names))]
        cells = [lines[name][kind] for name in names]
        bars = axes.barh(
            places, [100 * share for share, _ in cells], 0.36, color=color, label=label
        )
        texts = [f"{share:.1%}, {refused} refused" for share, refused in cells]
        axes.bar_label(bars, texts, padding=3, fontsize=8)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlim(0, 122)
    axes.set_title("Share of the permitted pace in %, of 4,000 calls on each line", loc="left")
    axes.legend(ncols=2, loc="lower center", frameon=False, bbox_to_anchor=(0.5, -0.2))
    axes.spines[["top", "right"]].set_visible(False)


def main() -> None:
    figure = Figure(figsize=(8, 10), layout="constrained")
    draw_costs(figure)
    draw_pace(figure)
    figure.savefig(RESULTS / "speed.png", dpi=110)


if __name__ == "__main__":
    main()
