"""The page's pieces: escaped text, a table of stocks, a picture for each width. Knows no figure."""

import base64
import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from kiwoom_async import ProgramTrade

from ._ink import signed

# Wider than any phone held upright; what is wider reads the wide picture without strain.
_PHONE_PIXELS: Final = 720
_STYLE: Final = f"""
body {{ margin: 0 auto; max-width: 1080px; padding: 12px; color: #1a1a1a; background: #fff;
  font: 16px/1.5 "Noto Sans KR", "Malgun Gothic", "Apple SD Gothic Neo", NanumGothic, sans-serif; }}
h1 {{ font-size: 1.6em; line-height: 1.25; margin: 0.4em 0; }}
h1 span {{ white-space: nowrap; }}
h2 {{ font-size: 1.15em; margin: 0 0 0.3em; }}
.simulated {{ border: 2px solid #8a5a00; background: #fff6df; padding: 6px 12px;
  font-weight: bold; }}
.tables {{ display: flex; flex-wrap: wrap; gap: 8px 40px; }}
.tables section {{ flex: 1 1 400px; min-width: 0; }}
figure {{ margin: 28px 0; break-inside: avoid; }}
img {{ display: block; width: 100%; height: auto; }}
table {{ border-collapse: collapse; width: 100%; font-size: 0.875em; }}
caption {{ text-align: left; font-weight: bold; padding: 4px 0; }}
th, td {{ padding: 3px 5px; border-bottom: 1px solid #ddd; text-align: right; }}
th {{ vertical-align: bottom; font-weight: normal; color: #555; }}
th[scope=row] {{ color: inherit; overflow-wrap: anywhere; }}
th:first-child {{ text-align: left; width: 38%; }}
small, footer {{ color: #555; font-size: 0.875em; font-weight: normal; }}
@media (max-width: {_PHONE_PIXELS}px) {{ h1 {{ font-size: 1.3em; }} }}
@media print {{ body {{ max-width: none; }} section {{ break-inside: avoid; }} }}
""".strip()
_HEADS: Final = (
    ("name", "종목명"),
    ("code", "코드"),
    ("price", "현재가"),
    ("net", "순매수"),
    ("share", "비율"),
)
_SUPERFLUOUS: Final = (
    (rb"<!--.*?-->|<!DOCTYPE.*?>|<\?xml.*?\?>|<metadata>.*?</metadata>", b""),
    (rb"\s*\n\s*", b"\n"),
    (rb">\n<", b"><"),
    (rb"\n?\b([MLQCz]) ?", rb"\1"),
    (rb"\n(?=[MLQCz])", b""),
    (rb"((?: [xy]=\"|[MLQC ])-?\d+\.\d\d)\d+(?=[\" MLQCz\n])", rb"\1"),
)
_UNITS: Final = "price in won (원), net in 100 million won (억원), share of turnover in %"


def page(title: str, body: Iterable[str]) -> str:
    """A whole document."""
    return "\n".join(
        (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>',
            '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
            f"<title>{escape(title)}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n<body>",
            *body,
            "</body>\n</html>\n",
        )
    )


def picture(wide: bytes, slim: bytes, alt: str) -> str:
    """Two SVGs, of which a browser shows the one that suits its width."""
    return (
        f'<figure><picture><source media="(max-width: {_PHONE_PIXELS}px)" srcset="{_data(slim)}"/>'
        f'<img src="{_data(wide)}" alt="{escape(alt)}"/></picture></figure>'
    )


def _data(svg: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(smaller(svg)).decode('ascii')}"


def smaller(svg: bytes) -> bytes:
    """The same picture in a sixth less: without comments, metadata, and digits nobody sees."""
    for pattern, instead in _SUPERFLUOUS:
        svg = re.sub(pattern, instead, svg, flags=re.DOTALL)
    return svg


def paragraph(text: str, kind: str = "") -> str:
    """A line of text, with a class where one is given."""
    return f"<p{f' class={chr(34)}{kind}{chr(34)}' if kind else ''}>{escape(text)}</p>"


def listed(lines: Sequence[str]) -> str:
    """A list, or nothing."""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if lines else ""


def tables(titles_and_rows: Iterable[tuple[str, Sequence[ProgramTrade]]]) -> str:
    """Tables of stocks beside each other, or below each other where there is no room."""
    made = "".join(_table(title, rows) for title, rows in titles_and_rows if rows)
    return f'<div class="tables">{made}</div>' if made else ""


def _table(title: str, rows: Sequence[ProgramTrade]) -> str:
    heads = "".join(
        f'<th scope="col">{escape(english)}<br/><span lang="ko">{escape(korean)}</span></th>'
        for english, korean in _HEADS
    )
    lines = "".join(_line(row) for row in rows)
    return (
        f"<section><table><caption>{escape(title)}<br/><small>{_UNITS}</small></caption>"
        f"<thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></section>"
    )


def _line(row: ProgramTrade) -> str:
    name = f'<th scope="row">{escape(row.stock_name)}</th>'
    price = "" if row.price is None else f"{row.price:,}"
    cells = (row.stock_code, price, signed(row.net_buy_amount), f"{row.turnover_share:.2f}")
    return f"<tr>{name}{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
