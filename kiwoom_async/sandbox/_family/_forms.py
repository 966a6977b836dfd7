"""How the family writes numbers: signs, decimals, rates.

Each TR has a form of its own (`minus`): nets are written with a doubled minus in some, with a
single one in others.
"""

from kiwoom_async.sandbox._market import Quote, Row


def signed(value: int, minus: str = "-") -> str:
    """Return the number with "+" or this minus; "0" has no sign."""
    return f"{minus if value < 0 else '+' if value > 0 else ''}{abs(value)}"


def in_thousands(value: int) -> int:
    """Return the value in units a thousand times as large, rounded half away from zero."""
    rounded = (abs(value) + 500) // 1000
    return -rounded if value < 0 else rounded


def net_in_thousands(value: int, minus: str) -> str:
    """Return a net in units a thousand times as large, signed.

    With a single minus the sign is that of the value before rounding: "+0" and "-0" are recorded.
    """
    rounded = in_thousands(value)
    if rounded or minus == "--":
        return signed(rounded, minus)
    return "+0" if value > 0 else "-0" if value < 0 else "0"


def decimal(value: int) -> str:
    """Return hundredths as a decimal number without "+"."""
    return f"{'-' if value < 0 else ''}{abs(value) // 100}.{abs(value) % 100:02d}"


def clock_time(seconds: int) -> str:
    """Return the time of day as HHmmss."""
    return f"{seconds // 3600:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}"


def price_fields(quote: Quote, sign_name: str) -> Row:
    """Return the price, its direction, and its change in won and percent."""
    return {
        "cur_prc": quote.wire_price,
        sign_name: quote.sign,
        "pred_pre": signed(quote.change),
        "flu_rt": _rate(quote),
    }


def _rate(quote: Quote) -> str:
    previous_close = quote.price - quote.change
    rate = (20_000 * abs(quote.change) + previous_close) // (2 * previous_close)
    sign = "-" if quote.change < 0 else "+"
    return f"{sign if rate else ''}{decimal(rate)}"
