"""Rendering works without pyplot, in notebooks and threads, and under any settings."""

import re
import subprocess
import sys
import threading
from importlib.util import find_spec

import matplotlib as mpl
import pytest
from matplotlib import font_manager
from report.drawing import assert_readable, texts_and_boxes

from kiwoom_async import Exchange
from kiwoom_async.report import _fonts as fonts
from kiwoom_async.report import buy_against_sell, concentration, most_bought_and_sold
from kiwoom_async.report._canvas import render


def test_a_font_with_hangul_is_found_and_matplotlibs_settings_stay_as_they_were(rows):
    settings = dict(mpl.rcParams)
    figure = most_bought_and_sold(rows)
    render(figure, "png")
    assert dict(mpl.rcParams) == settings
    assert fonts.find_font().has_hangul
    for text, _ in texts_and_boxes(figure):
        assert fonts.find_font().can_draw(text.replace("\n", "")), text


def test_a_callers_settings_change_no_figure(rows):
    expected = render(most_bought_and_sold(rows), "svg")
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black", "svg.fonttype": "none"}):
        assert render(most_bought_and_sold(rows), "svg") == expected


@pytest.fixture
def no_hangul_font(monkeypatch):
    """A machine with matplotlib's own fonts only, and without koreanize-matplotlib."""
    entries = font_manager.fontManager.ttflist
    own_entries = [entry for entry in entries if entry.name.startswith("DejaVu")]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", own_entries)
    monkeypatch.setattr(fonts, "find_spec", lambda _: None)
    fonts.find_font.cache_clear()
    yield monkeypatch
    fonts.find_font.cache_clear()


@pytest.mark.usefixtures("no_hangul_font")
def test_without_a_korean_font_codes_replace_names_and_a_single_warning_says_why(rows):
    with pytest.warns(UserWarning, match="apt install fonts-nanum") as warnings:
        figures = [most_bought_and_sold(rows), buy_against_sell(rows)]
    assert len(warnings) == 1
    for figure in figures:
        render(figure, "png")
        assert_readable(figure)
        assert not any(re.search("[가-힣]", text) for text, _ in texts_and_boxes(figure))
    most_bought = max(
        rows, key=lambda row: (row.exchange is Exchange.CONSOLIDATED) * row.net_buy_amount
    )
    assert figures[0].axes[0].get_yticklabels()[0].get_text() == most_bought.stock_code


def test_the_font_of_koreanize_matplotlib_is_used_without_importing_it(rows, no_hangul_font):
    own_files = {entry.fname for entry in font_manager.fontManager.ttflist}
    no_hangul_font.setattr(fonts, "find_spec", find_spec)
    assert fonts.find_font().families[0] == "NanumGothic"
    render(most_bought_and_sold(rows), "png")
    added_files = {str(entry.fname) for entry in font_manager.fontManager.ttflist} - own_files
    assert added_files
    assert all("koreanize_matplotlib" in file for file in added_files)
    assert "koreanize_matplotlib" not in sys.modules


def test_a_glyph_that_no_font_has_is_a_warning(rows):
    """All other tests turn warnings into errors, so that none of them draws such a glyph."""
    figure = most_bought_and_sold(rows)
    figure.text(0.1, 0.1, "\U0001fae8")
    with pytest.warns(UserWarning, match="missing from"):
        render(figure, "png")


def test_the_error_for_a_missing_matplotlib_names_the_extra():
    program = "import sys; sys.modules['matplotlib'] = None\nimport kiwoom_async.report"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)  # noqa: PLW1510, S603
    message = "ModuleNotFoundError: matplotlib is not installed: pip install 'kiwoom-async[plot]'"
    assert message in run.stderr


def test_pyplot_is_never_imported():
    program = (
        "import sys, kiwoom_async.report as report\n"
        "report.report_html([])\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603


def test_a_notebook_shows_a_figure_without_a_backend(rows):
    assert most_bought_and_sold(rows)._repr_png_().startswith(b"\x89PNG")


def test_threads_may_draw_at_the_same_time(rows):
    expected = render(concentration(rows), "svg")
    settings = dict(mpl.rcParams)
    svgs = []
    threads = [
        threading.Thread(target=lambda: svgs.append(render(concentration(rows), "svg")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert svgs == [expected] * 4
    assert dict(mpl.rcParams) == settings
