"""Times as they are sent: Kiwoom's in Korean time, HTTP's in GMT."""

import datetime as dt
import re
from email.utils import parsedate_to_datetime
from typing import Final

from kiwoom_async.errors import short_repr

KST: Final = dt.timezone(dt.timedelta(hours=9), "KST")
# RFC 9110, section 5.6.7: the one form that is sent today. The parser would take many more.
_HTTP_DATE: Final = re.compile(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [12][0-9]{3} [0-9:]{8} GMT")


def kst_time(value: object) -> dt.datetime:
    """Return the moment that `yyyyMMddHHmmss` names in Korean time (wire-facts.md, section 2)."""
    try:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{14}", value):
            return dt.datetime.strptime(value, "%Y%m%d%H%M%S").replace(tzinfo=KST)
    except ValueError:
        pass
    raise ValueError(f"{short_repr(value)} is not a time of the form yyyyMMddHHmmss")


def http_time(value: str) -> dt.datetime | None:
    """Return the moment that a `date` header names, in Korean time; None if it names none."""
    try:
        return parsedate_to_datetime(value).astimezone(KST) if _HTTP_DATE.fullmatch(value) else None
    except (ValueError, OverflowError):
        return None
