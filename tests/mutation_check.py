"""Plants bugs one at a time and shows that tests fail for each; run on demand.

`python tests/mutation_check.py [WORD ...]`: all of them, or those whose file or name holds a word.
A bug is tried against the tests named beside it, on asyncio, then on both event loops; if they do
not see it, against the whole suite; one of FastEngine before that against `--engine fast`. Exit
code 1 if one survives, or if an entry names a text or tests that are not there any more.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from attrs import frozen

ROOT = Path(__file__).parent.parent
CONCURRENCY = 2
# A bug may make a test wait for ever: that counts as seen. The whole suite takes some minutes.
TIMEOUT_SECONDS = 180
WHOLE_TIMEOUT_SECONDS = 1200
# In a copy of the package and its tests alone, these would fail by themselves.
WHOLE_SUITE = ["tests", "--ignore", "tests/project/test_readme.py"]
ASYNCIO_ONLY = ["-k", "not trio", "-m", "not alone"]
# FastEngine is judged by the tests of the default engine, too.
FAST_ENGINE = ["--engine", "fast", *ASYNCIO_ONLY, "tests/io"]


@frozen
class Mutation:
    """A bug: in `file` of the package, `old` becomes `new`.

    tests: the files or folders of tests that should see it, patterns relative to `tests/`.
    """

    file: str
    name: str
    old: str
    new: str
    tests: str

    def __str__(self) -> str:
        return f"{self.file}: {self.name}"

    def count(self, root: Path = ROOT) -> int:
        """Return how many places there are for it; it needs exactly one."""
        return self._path(root).read_text(encoding="utf-8").count(self.old)

    def plant(self, root: Path) -> None:
        """Write the bug into a copy."""
        path = self._path(root)
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")

    def test_files(self, root: Path = ROOT) -> list[str]:
        """Return the tests that should see it, relative to `root`."""
        tests = root / "tests"
        found = [path for pattern in self.tests.split() for path in sorted(tests.glob(pattern))]
        return [str(path.relative_to(root)) for path in found]

    def _path(self, root: Path) -> Path:
        return root / "kiwoom_async" / self.file


def in_file(file: str, tests: str, *bugs: tuple[str, ...]) -> Iterator[Mutation]:
    """Yield the mutations of a file; each is a name, the old text, the new one, and other tests."""
    for name, old, new, *others in bugs:
        yield Mutation(file, name, old, new, *(others or [tests]))


CORE = [
    *in_file(
        "_protocol/cursor.py",
        "protocol/test_cursor.py protocol/test_continuation.py io/test_endings.py",
        ("a key that came before is accepted", "    if asked.came_before(key):\n",
         "    if False:\n"),
        ("the loop guard knows the last key only",
         "return key == self.key or zlib.crc32(key.encode()) in self.earlier_keys",
         "return key == self.key"),
        ("the loop guard forgets the last key",
         "return key == self.key or zlib.crc32(key.encode()) in self.earlier_keys",
         "return zlib.crc32(key.encode()) in self.earlier_keys"),
        ("the loop guard forgets the first key", "in self.earlier_keys\n",
         "in self.earlier_keys[1:]\n"),
        ("the loop guard forgets all keys on resuming", 'b"\\n" + keys', 'b"\\n"'),
        ("a missing key is taken for the end",
         'raise ContinuationError("next-key: got an empty one beside cont-yn Y; expected a key")',
         "return None"),
        ("Y is taken for the end", 'if announced == "N" or', 'if announced in "NY" or'),
        ("an unknown cont-yn is taken for the end",
         'if announced != "Y":\n        raise',
         'if announced != "Y":\n        return None\n        raise'),
        ("rows without headers are the end",
         'if expected_more and not announced and "api-id" not in headers and not key:',
         "if False:"),
        ("an empty page without headers is the end of any walk",
         "expected_more = not empty or asked.page > 1", "expected_more = not empty"),
        ("an answer to another call is accepted",
         "if answered.lower() != asked.api_id.lower():", "if False:"),
        ("a key may hold a comma", ' or "," in key:', ":"),
        ("the page number stands still", "key, asked.page + 1, keys", "key, asked.page, keys"),
        ("the account is lost on following", "keys, asked.account, empty_pages)",
         'keys, "", empty_pages)', "io/test_accounts.py"),
        ("empty pages have no end", "if empty_pages >= _MAX_EMPTY_PAGES:", "if False:"),
        ("empty pages anywhere in a walk count", "asked.empty_pages + 1 if empty else 0",
         "asked.empty_pages + empty"),
        ("empty pages are forgotten on resuming", "self.account, self.empty_pages]",
         "self.account, 0]"),
        ("a damaged text parses", 'if zlib.crc32(data).to_bytes(4, "big") != checksum:',
         "if False:"),
        ("no data after more was announced is taken for the end",
         "if empty and blank and following is None and asked.page > 1:", "if False:",
         "catalog protocol io/test_call.py"),
        ("a circle anywhere is an end", "(empty or asked.empty_pages > 0) and begins_again(",
         "begins_again(", "io/test_endings.py protocol"),
        ("a restart after an empty page is an error",
         "if (empty or asked.empty_pages > 0) and begins_again(headers, asked):", "if False:"),
        ("a restart goes round", "        return None, True\n", "        pass\n"),
    ),
    *in_file(
        "_protocol/pages.py", "catalog protocol",
        ("blank rows after more was announced are an end", "blank=blank_rows > 0", "blank=False"),
        ("resp-cnt is not read", "int(row_count) if _COUNT.fullmatch(row_count) else None", "None",
         "io/test_endings.py"),
        ("the key is not sent", "    if cursor.key:  # not", "    if False:  # not"),
        ("a cursor of another query is accepted", "if not cursor_matches(cursor, query):",
         "if False:", "io/test_client*.py"),
        ("rows that cannot be read are dropped",
         "            undecoded.append(Undecoded(position, raw, problem))\n", "            pass\n",
         "io/test_nothing_lost.py"),
        ("rows that cannot be read are all number 0",
         '.replace("rows[0]", f"rows[{position}]")', "", "io/test_nothing_lost.py"),
        ("one bad row is read as good ones are dropped", "rows += structure_rows(",
         "rows = structure_rows(", "io/test_nothing_lost.py"),
        ("blank rows are not counted", "blank_rows = len(rows) - len(present)", "blank_rows = 0"),
        ("blank rows are delivered", "if row is not None]", "]"),
        ("a page of too many rows is read one by one", " or len(raw_rows) > MAX_ROWS:", ":"),
        ("the path of a base URL is dropped", "url = base_url + path",
         'url = "/".join(base_url.split("/")[:3]) + path', "io/test_http.py"),
        ("totals are not read", "totals = structure_totals(body, query.totals_class)",
         "totals = query.totals_class()"),
    ),
    *in_file(
        "_protocol/reply.py", "io/test_call.py",
        ("blank replies after more was announced are an end", "blank=bool(rows)", "blank=False"),
        ("empty replies are as good as others", "cursor, empty=empty,", "cursor, empty=False,"),
        ("a cursor of another body is accepted",
         "if cursor.api_id != request.api_id or not same_body:",
         "if cursor.api_id != request.api_id:"),
        ("a cursor of another api-id is accepted",
         "if cursor.api_id != request.api_id or not same_body:", "if not same_body:"),
        ("a cursor of a longer body is accepted",
         "len(cursor.body) == len(request.body) and all(", "all("),
        ("a body of numbers is sent", "            if not isinstance(text, str):\n",
         "            if False:\n"),
        ("half a character is sent", "            _check_encodable(text)\n", ""),
        ("the judgement is data", "if name not in _JUDGEMENT}]", "}]"),
    ),
    *in_file(
        "_protocol/read_only.py", "protocol/test_published.py",
        ("an order may be sent to its path", "if is_trading_path(path) or (",
         "if ("),
        ("an order may be sent to another path",
         "if is_trading_path(path) or (published is not None and published.trades):",
         "if is_trading_path(path):"),
        ("an order in capital letters is sent", "published_request(api_id.lower())",
         "published_request(api_id)"),
        ("a path may have any spelling",
         "if not isinstance(path, str) or not _PATH.fullmatch(path):",
         "if not isinstance(path, str):"),
        ("the keys may be sent to the path of tokens", 'if "oauth2" in', 'if "oauth3" in'),
        ("the keys may be sent by the api-id of tokens",
         "if api_id.lower() in (ISSUE_TOKEN, REVOKE_TOKEN):", "if False:"),
        ("an api-id may break the header", "or not _API_ID.fullmatch(api_id):", "or not api_id:"),
        ("only a path that is given is checked", "    check_reads_only(api_id, path)\n    return",
         "    return"),
    ),
    *in_file(
        "_protocol/published.py", "protocol/test_published.py",
        ("orders of credit do not trade", 'part.endswith("ordr")', 'part == "ordr"'),
        ("a path in capital letters does not trade", 'in path.lower().split("/")',
         'in path.split("/")'),
        ("a path that goes on does not trade", 'any(part.endswith("ordr") for part in path.lower()',
         'any(part.endswith("ordr") for part in path.lower().rpartition("/")[2]'),
        ("names from macOS are not found", 'unicodedata.normalize("NFC", text)', "text"),
        ("any word will do", "if all(word in", "if any(word in"),
    ),
    *in_file(
        "_protocol/convert.py", "protocol/test_convert.py protocol/test_spelling.py catalog",
        ("a double minus is refused", r'_WHOLE: Final = re.compile(rf"(\+|--?)?',
         r'_WHOLE: Final = re.compile(rf"(\+|-)?'),
        ("signs are dropped", "return kind(minus + digits)", "return kind(digits)"),
        ("decimals are rounded to the context", "return kind(minus + digits)",
         "return -kind(digits) if minus else kind(digits)"),
        ("the fast path of int accepts underscores",
         'if value.isascii() and "_" not in value and', "if value.isascii() and"),
        ("the fast path of int accepts digits of other scripts",
         'if value.isascii() and "_" not in value and', 'if "_" not in value and'),
        ("the fast path of int accepts numbers without end",
         " and len(value) <= MAX_DIGITS:", ":"),
        ("a blank amount is zero",
         "match = form.fullmatch(value.strip()) if isinstance(value, str) else None",
         'match = form.fullmatch(value.strip() or "0") if isinstance(value, str) else None'),
        ("any unreadable optional value is None",
         "            if is_blank(value):\n                return None\n            raise\n",
         "            return None\n"),
        ("a price keeps its sign", "return abs(read_integer(value))", "return read_integer(value)"),
        ("small shares lose a zero", 'Decimal(f"0.{number:02}")', 'Decimal(f"0.{number}")'),
        ("half a character is text", "        value.encode()\n", "        pass\n"),
        ("a blank stock code is one", "if value is None or not read_text(value).strip():",
         "if value is None:"),
        ("unknown codes are logged every time", "if entry not in _logged_codes and", "if"),
        ("blank rows are read as rows",
         "if all(map(str.strip, [raw[names[0]] for raw in raw_rows])):", "if True:"),
        ("a row with one blank value is blank",
         "return bool(values) and all(is_blank(value) for value in values)",
         "return any(is_blank(value) for value in values)"),
        ("a row of unknown names is blank", "return bool(values) and all(", "return all("),
        ("a page of any number of rows", "    if len(raw_rows) > MAX_ROWS:\n",
         "    if False:\n"),
        ("nesting without end is a crash", "    RecursionError,\n", "",
         "speed/test_*engine*.py"),
        ("a null total is unreadable", "if value is not None}", "}"),
        ("problems do not name the wire", 'yield f"{line} ({wire_name})" if wire_name else line',
         "yield line"),
        ("hundredths are whole numbers", "exponent) - 2", "exponent)",
         "protocol/test_declarations.py"),
        ("a decimal's magnitude keeps its sign",
         "reader = _decimal_magnitude if", "reader = read_decimal if",
         "protocol/test_declarations.py"),
        ("a week date is a date", "if len(text) == length and text.isascii() and text.isdigit():",
         "if len(text) == length:", "protocol/test_declarations.py"),
        ("a mapping that lacks a text says: is missing", "except LookupError as error:",
         "except ZeroDivisionError as error:", "protocol/test_declarations.py"),
        ("a validator's field is not named",
         "detailed = converter.detailed_validation and (field.converter or field.validator)",
         "detailed = False", "protocol/test_declarations.py"),
        ("a validator that looks at others is an error of all rows",
         "with suppress(AttributeError):", "with suppress(KeyError):",
         "protocol/test_declarations.py"),
        ("fields that a row makes itself are asked of the query",
         'if "wire" not in field.metadata and field.init\n', 'if "wire" not in field.metadata\n',
         "protocol/test_declarations.py"),
        ("any value but 0 is true", 'if value not in ("0", "1"):', "if False:",
         "protocol/test_declarations.py"),
    ),
    *in_file(
        "_protocol/encode.py", "protocol/test_declarations.py protocol/test_convert.py",
        ("dates are sent with dashes", '"{:%Y%m%d}".format', "str"),
        ("True is sent as a number", "if not self._codes and type(value) is self._kind:",
         "if not self._codes and isinstance(value, self._kind):"),
        ("None is an error", "if value is None and self._optional:", "if False:"),
        ("any type may be declared", "if not self._codes and self._kind not in _WRITERS:",
         "if False:"),
    ),
    *in_file(
        "_protocol/declaration.py", "protocol/test_declarations.py",
        ("a class that is not decorated is used", " or _has_fields_of_its_own(query_class):", ":"),
        ("a class that can change is used",
         'if vars(query_class).get("__hash__", object) is None:', "if False:"),
        ("orders may be declared",
         "    check_reads_only(query_class.api_id, query_class.path)\n", ""),
        ("a wire name may come twice", "        if count > 1:\n", "        if False:\n"),
        ("a field may be nowhere",
         "if field not in attrs.fields_dict(query_class) and not _has_value(query_class, field):",
         "if False:"),
        ("totals need no default",
         'if "wire" not in field.metadata or field.default is attrs.NOTHING:',
         'if "wire" not in field.metadata:'),
        ("queries without a hash are sent", "        hash(query)\n", "        pass\n"),
    ),
    *in_file(
        "_protocol/messages.py", "protocol",
        ("1634 is retried", "or (return_code == 5 and code is None)", "or return_code == 5"),
        ("a name may come twice in JSON", "if len(unique) != len(pairs):", "if False:"),
        ("names in JSON are not counted",
         'if raw.count(b":") != sum(map(len, [body, *rows])):', "if False:"),
        ("half of gzip is taken", "elif not gzip.eof and len(body) <= MAX_BODY_BYTES:",
         "elif False:", "io/test_http_bodies.py"),
        ("bytes behind gzip are dropped", "        if gzip.unused_data:\n", "        if False:\n",
         "io/test_http_bodies.py"),
        ("a packed body has no limit",
         "gzip.decompress(body, MAX_BODY_BYTES + 1)", "gzip.decompress(body)",
         "io/test_http_bodies.py"),
        ("an unpacked body has no limit",
         "    if len(body) > MAX_BODY_BYTES:\n        raise",
         "    if False:\n        raise", "io/test_http_bodies.py"),
        ("an encoding that may be a secret is quoted",
         ' if encoding in _OTHER_ENCODINGS else "an encoding"', "", "io/test_http_bodies.py"),
        ("escaped secrets are not redacted", 'escaped = b"\\\\" in body', "escaped = False"),
        ("the secrets of a request are not redacted",
         "in secrets + response.request.secrets:", "in secrets:", "io/test_secrets.py"),
        ("headers are not redacted", "if secret in header_values:", "if False:"),
        ("an answer that may hold a token is quoted",
         'hidden = response.request.api_id == ISSUE_TOKEN and not text.startswith("<")',
         "hidden = False"),
        ("the total of 1701 is a limit", '"(?<!총)유량=', '"유량='),
        ("a 200 that says no is a page",
         "if response.status != 200 or return_code not in (0, None):",
         "if response.status != 200:"),
    ),
    *in_file(
        "_protocol/retry.py", "protocol/test_retry.py",
        ("1999 is not retried", '_TRANSIENT: Final = frozenset({"1999", "8006", "8009"})',
         '_TRANSIENT: Final = frozenset({"8006", "8009"})'),
        ("every AuthError renews", "if isinstance(error, AuthError) and error.code in _RENEWABLE:",
         "if isinstance(error, AuthError):"),
        ("a Retry-After below a minute is ignored",
         "asked = max(_RATE_FLOOR_SECONDS, error.retry_after or 0.0)",
         "asked = _RATE_FLOOR_SECONDS"),
        ("a Retry-After of hours is waited for",
         "if (error.retry_after or 0.0) > _MAX_RETRY_AFTER_SECONDS:", "if False:"),
        ("local errors are retried", "return not error.local", "return True",
         "protocol/test_retry.py io/test_custom_transports.py"),
        ("backoff does not grow", "_FIRST_BACKOFF_SECONDS * 2.0 ** min(failures - 1, 10))",
         "_FIRST_BACKOFF_SECONDS)"),
        ("a refusal of the keys renews the token", "and error.code not in _NOT_THE_TOKEN", "",
         "io/test_relays.py"),
        ("every answer without the API renews", "return error.status == 401", "return True",
         "io/test_relays.py io/test_faults.py"),
        ("an impatient call outlives an outage", "not (patient and unreachable):",
         "not unreachable:", "protocol/test_retry.py"),
        ("the budget is never spent", "        self._left -= 1.0\n", ""),
        ("the budget is never earned", "EARNED: Final = 0.2", "EARNED: Final = 0.0"),
    ),
    *in_file(
        "_protocol/audit.py", "catalog",
        ("checks are not added up", "self.actual += check.actual", "self.actual = check.actual"),
        ("tolerances are not added up", "        self.tolerance += check.tolerance\n", ""),
        ("an expectation is lost when a later page states none",
         "if check.expected is not None:", "if True:", "io/test_rare_cases.py"),
        ("a difference below is no finding",
         "difference is None or -self.tolerance <= difference <= self.tolerance",
         "difference is None or difference <= self.tolerance"),
        ("checks of a part of a walk", "if compared or tally.each_row", "if True",
         "io/test_endings.py io/test_client*.py"),
        ("findings of single rows of a stopped walk are lost", "if compared or tally.each_row",
         "if compared", "io/test_family_walks.py"),
        ("rows are not counted", "        self.rows += len(page.rows)\n", ""),
        ("repeated keys are not seen", "if known or distinct < len(keys):", "if False:"),
        ("repeated keys of one page are not seen", "if known or distinct < len(keys):",
         "if known:"),
        ("keys of earlier pages are those of this one", "seen = set(known)", "seen = set(keys)"),
        ("keys that came before are not distinct ones",
         "distinct = len(self._seen) - seen_before + len(known)",
         "distinct = len(self._seen) - seen_before", "io/test_endings.py io/test_rare_cases.py"),
        ("rows with -1 and -2 are one", "is str else hash(repr(key))", "is str else hash(key)",
         "io/test_endings.py"),
        ("equal rows that follow each other are a finding", "if self._is_whole_row(rows[0]):",
         "if False:",
         "io/test_declared_requests.py"),
        ("a page of equal rows is a circle", "may_repeat = distinct == 1",
         "may_repeat = distinct == 0", "io/test_declared_requests.py"),
        ("a page again and again is a walk",
         "if repeated and (page.rows or page.undecoded) and page.next is not None:",
         "if False:", "io/test_endings.py"),
        ("a last page like an earlier one is an error",
         "if repeated and (page.rows or page.undecoded) and page.next is not None:",
         "if repeated:", "io/test_endings.py"),
        ("pages of one key are alike", "keys if distinct > 1 else [hash(repr(row))",
         "[hash(0)", "io/test_endings.py"),
        ("the rows of a restart are delivered",
         ("            page = evolve(page, rows=type(page.rows)((), self._query.row_class), "
         "undecoded=[])\n"), "", "io/test_endings.py"),
        ("a restart with other rows is an end",
         "if self._from_first_page and not self._seen.issuperset(keys):", "if False:",
         "io/test_endings.py"),
        ("unread rows are not counted",
         "        self._undecoded_rows += len(page.undecoded)\n", "",
         "io/test_nothing_lost.py"),
        ("totals that vary are not seen",
         "self._totals_vary |= self.totals not in (self._no_totals, page.totals)", "pass"),
        ("totals of a later page without any count", "if page.totals != self._no_totals:",
         "if True:"),
        ("empty pages are not seen", "if without_rows and (page.next or page.number > 1):",
         "if False:"),
        ("miscounted pages are not seen", "if stated not in (None, sent_rows):", "if False:",
         "io/test_endings.py"),
        ("restarts are not reported", "self._restarted |= page.restarted", "pass",
         "io/test_endings.py"),
        ("blank rows among others are not reported", "if self.blank_rows and self.rows:",
         "if False:"),
        ("all examples are listed", "for key in keys[:_MAX_EXAMPLES]]", "for key in keys]"),
    ),
    *in_file(
        "_protocol/estimate.py", "protocol/test_estimate.py",
        ("a thin day hides the size of others",
         "max(page.number, self._complete.get(group, 0))", "page.number"),
        ("a holiday teaches", "elif page.number > 1 or page.rows:", "else:"),
        ("a walk that is longer than usual does not show",
         "if announced > complete or not complete:", "if not complete:"),
    ),
    *in_file(
        "catalog/program_trades.py", "catalog",
        ("buy and sell are swapped", 'field(metadata=wire("buy_cntr_amt"',
         'field(metadata=wire("sel_cntr_amt"'),
        ("a stock is told apart by all its values", "return row.symbol\n", "return row\n"),
        ("shares may be off by more where rows are zero", "tolerance=traded * _SHARE_ROUNDING",
         "tolerance=len(rows) * _SHARE_ROUNDING"),
        ("no shares are expected", "expected=100 if traded else None", "expected=None"),
    ),
    *in_file(
        "catalog/codes.py", "catalog",
        ("a day that has not come is asked for", "if day > today:", "if False:"),
        ("a query of yesterday is not doubted", "if day != today:", "if False:"),
        ("KOSDAQ consolidated is asked for as the specification prints it", "P101_AL02",
         "P001_AL02"),
        ("a ranking begins with the other side", '{Side.SELL: "1", Side.BUY: "2"}',
         '{Side.SELL: "2", Side.BUY: "1"}'),
        ("ticks and minutes are swapped", '{Interval.TICK: "0", Interval.MINUTE: "1"}',
         '{Interval.TICK: "1", Interval.MINUTE: "0"}'),
        ("a symbol may have letters in lower case", "[0-9A-Z]{6}", "[0-9A-Za-z]{6}"),
        ("a symbol may have any text behind it", "_SYMBOL.fullmatch", "_SYMBOL.match"),
        ("the suffixes of venues are swapped", '"NX": Exchange.NXT', '"NX": Exchange.CONSOLIDATED'),
        ("an index of zero is an index", "return read_decimal(text) or None",
         "return read_decimal(text)"),
        ("rounding may be off by two", "abs(stated - computed) > 1", "abs(stated - computed) > 2"),
        ("rounding may not be off at all", "abs(stated - computed) > 1",
         "abs(stated - computed) > 0"),
        ("the present day is that of another zone", "datetime.datetime.now(KST)",
         "(datetime.datetime.now(KST) + datetime.timedelta(days=1))"),
    ),
    *in_file(
        "catalog/market_checks.py", "catalog",
        ("nets by quantity are not compared", '    "non_arbitrage_{}_quantity",\n', ""),
        ("totals are compared by net only", "    for side in _SIDES:\n        total",
         "    for side in _SIDES[2:]:\n        total"),
    ),
    *in_file(
        "catalog/stock_checks.py", "catalog",
        ("a row of another exchange is accepted", "if row.exchange != asked", "if False"),
        ("nets by quantity are not compared", "return stated != (amount, quantity)",
         "return stated[0] != amount"),
        ("nets by amount are not compared", "return stated != (amount, quantity)",
         "return stated[1] != quantity"),
    ),
    *in_file(
        "catalog/program_rankings.py", "catalog",
        ("quantities are asked for as amounts", 'default="2", init=False',
         'default="1", init=False'),
        ("shares are called million won",
         'wire("prm_buy_amt", "프로그램매수금액", unit=SHARES)',
         'wire("prm_buy_amt", "프로그램매수금액", unit=MILLION_WON)'),
    ),
    *in_file(
        "catalog/program_market_intraday.py", "catalog",
        ("the index is not divided by 100", "return hundredths(text) or None",
         "return Decimal(text) or None"),
        ("an index of zero is an index", "return hundredths(text) or None",
         "return hundredths(text)"),
    ),
    *in_file(
        "catalog/program_market_cumulative.py", "catalog",
        ("the market is sent by the codes of the others", 'Market.KOSDAQ: "1"',
         'Market.KOSDAQ: "P10102"'),
        ("a sum over years is not doubted", "if today - self.since > _MAX_PERIOD:", "if False:"),
        ("a day that has not come is asked for",
         '        refuse_future_day("since", self.since, today)\n', ""),
        ("a total that differs from its parts is accepted", "if _total_differs(row)", "if False"),
    ),
    *in_file(
        "catalog/program_market_daily.py", "catalog",
        ("a day at another time than midnight is accepted",
         "if not text.endswith(_MIDNIGHT):", "if False:"),
    ),
    *in_file(
        "catalog/program_stock_intraday.py", "catalog",
        ("prices keep their sign", 'unit=WON, read=magnitude', "unit=WON"),
        ("rows are told apart by their time",
         "    def check(self, today",
         '    row_key = attrgetter("time")\n\n    def check(self, today'),
    ),
    *in_file(
        "catalog/program_stock_daily.py", "catalog",
        ("prices keep their sign", 'unit=WON, read=magnitude', "unit=WON"),
        ("the newest day is always asked for", "return None if value is None else",
         "return datetime.date(2026, 1, 2) if value is None else"),
        ("rows are watched to the last page", "newest_first = True", "newest_first = False"),
    ),
    *in_file(
        "events.py", "io/test_events.py",
        ("frequent events reach the log only", "return self._listener is not None or", "return"),
        ("frequent events reach the listener only",
         "self._listener is not None or _logger.isEnabledFor(logging.DEBUG)",
         "self._listener is not None"),
        ("rows that cannot be read are no warning",
         "if isinstance(event, PageDelivered) and event.undecoded:", "if False:",
         "io/test_nothing_lost.py"),
        ("findings are no warning",
         "if isinstance(event, WalkFinished) and event.audit is not None:", "if False:",
         "io/test_endings.py"),
        ("rows that cannot be read are warned of twice",
         "unreported = len(event.findings) - bool(event.audit.undecoded_rows)",
         "unreported = len(event.findings)", "io/test_nothing_lost.py"),
    ),
    *in_file(
        "client.py", "io/test_client*.py",
        ("no page is learned from", "        self._calls.page_counts.learn(page)\n", "",
         "protocol/test_estimate.py"),
        ("a failed collect resumes at its last page",
         "            error.locate(query, first)\n", "            pass\n"),
        ("the same query twice in a list", "        for query in listed:\n            check_query(",
         "        for query in []:\n            check_query(", "io/test_merge*.py"),
    ),
    *in_file(
        "_io/host.py", "io/test_client*.py",
        ("http to any host", "may_be_plain = plain_http or _is_loopback(url.host)",
         "may_be_plain = True"),
        ("http to no other host by choice", "may_be_plain = plain_http or _is_loopback(url.host)",
         "may_be_plain = _is_loopback(url.host)", "io/test_relays.py"),
    ),
    *in_file(
        "_io/calls.py", "io/test_client*.py",
        ("no slot", "async with call.limiter.acquire(call.priority):", "if True:"),
        ("every call is interactive", "                priority=priority,\n", "",
         "io/test_merge*.py"),
        ("the token is issued after the slot",
         "                if call.needs_token:\n", "                if False:\n"),
        ("a token that died while waiting is sent",
         "await tokens.get() if call.needs_token else None)",
         "(tokens.cached or await tokens.get()) if call.needs_token else None)",
         "io/test_tokens.py"),
        ("a walk's deadline is ignored", "self.state.running(deadline):", "self.state.running():",
         "io/test_deadlines.py"),
        ("an error forgets where to resume",
         "error.locate(query, cursor)",
         "error.query, error.page = query, 0"),
        ("an error forgets its attempts", "        failed.attempts = attempt\n", ""),
        ("the account is not in the cursor",
         "account, cursor = self.accounts.for_page(cursor)\n            call = PageCall(",
         "account, _ = self.accounts.for_page(cursor)\n            call = PageCall(",
         "io/test_accounts.py"),
        ("an account is busy for ever",
         "(call, deadline)\n            finally:\n                account.running_calls -= 1",
         "(call, deadline)\n            finally:\n                pass", "io/test_accounts.py"),
        ("the account is not in the cursor of a reply",
         "account, cursor = self.accounts.for_page(cursor)\n            call = RawCall(",
         "account, _ = self.accounts.for_page(cursor)\n            call = RawCall(",
         "io/test_call.py"),
        ("an account is busy with a reply for ever",
         "_run(call)\n            finally:\n                account.running_calls -= 1",
         "_run(call)\n            finally:\n                pass", "io/test_call.py"),
        ("replies of all api-ids share a bucket", "account.rate_limiter(request.api_id)",
         'account.rate_limiter("ka10001")', "io/test_call.py"),
        ("an error of a reply forgets where to resume", "error.locate(request, cursor)", "pass",
         "io/test_call.py"),
        ("a reply is not reported",
         "self.emitter.emit(delivered)\n        return reply", "pass\n        return reply",
         "io/test_call.py"),
        ("only the first key is redacted", "for pair in keys for key in (",
         "for pair in keys[:1] for key in (", "io/test_accounts.py"),
        ("secrets are not redacted", "call.decode(redact(response, self._secrets))",
         "call.decode(response)", "io/test_secrets.py"),
        ("rows that cannot be read are silent",
         "if self.emitter.enabled or page.undecoded:", "if self.emitter.enabled:",
         "io/test_nothing_lost.py"),
        ("the first token is a renewal each time",
         "        self._accounts_without_token.discard(account.name)\n", "", "io/test_events.py"),
        ("a revoked token is kept", "        await account.tokens.forget(token)\n", ""),
        ("headers of the user are not sent", "                if self._headers:\n",
         "                if False:\n", "io/test_relays.py"),
        ("headers of the user are not redacted",
         "failed = self._without_header_values(call, response, failed)", "pass",
         "io/test_relays.py"),
        ("a token that works stays in doubt", "tokens.renewed_in_doubt = None  #", "pass  #",
         "io/test_relays.py"),
        ("answered calls earn nothing",
         "                    self._recovery.answered_calls += 1\n", ""),
        ("a doubt is warned of every time",
         "if doubt is not None and doubt not in self._doubts:", "if doubt is not None:",
         "io/test_client*.py"),
        ("a closed client sleeps on",
         "        with self.state.running():\n            await anyio",
         "        if True:\n            await anyio", "io/test_watch*.py"),
        ("connections of a closed client stay open",
         "            await self._engine.aclose()\n", "            pass\n"),
    ),
    *in_file(
        "_io/recovery.py", "io/test_client*.py",
        ("the floor after a 429 is forgotten", "max(seconds, pause_seconds(error))", "seconds"),
        ("the limit of a 429 is ignored", "error.limit or math.inf)", "math.inf)"),
        ("a renewal counts as an attempt", "history.attempts - history.renewed,",
         "history.attempts,"),
        ("the budget is passed over",
         "if request is not None and not self._budget.spend(self.answered_calls):",
         "if False:", "io/test_outages.py"),
        ("a 429 spends the budget", "        elif isinstance(error, RateLimited):\n",
         ("        elif isinstance(error, RateLimited) and self._budget.spend(\n"
         "            self.answered_calls\n"
         "        ):\n")),
        ("no wait before a retry",
         "history, seconds)\n            await anyio.sleep(seconds)\n", "history, seconds)\n"),
        ("a retry is not reported", "        self._emitter.emit(retried)\n", "",
         "io/test_events.py"),
        ("bulk work is not patient", "call.priority is Priority.BULK\n", "False\n",
         "io/test_bulk_patience.py"),
        ("interactive calls are patient", "call.priority is Priority.BULK\n", "True\n",
         "io/test_bulk_patience.py"),
        ("patience has no end", "now - history.first_failure_at < _PATIENCE_SECONDS", "True",
         "io/test_bulk_patience.py"),
        ("one attempt is several", "            and self._attempts > 1\n", "",
         "io/test_bulk_patience.py"),
        ("bulk calls of an outage do not wait for each other",
         "        async with self._outage:\n", "        if True:\n", "io/test_bulk_patience.py"),
        ("bulk calls wait on after an answer", "if self.answered_calls == answered_before:",
         "if True:", "io/test_bulk_patience.py"),
        ("waits do not grow in an outage", "        self._failures_in_a_row += 1\n",
         "        self._failures_in_a_row = 1\n", "io/test_bulk_patience.py"),
        ("a token is renewed again and again in doubt",
         "may_renew and token is not call.account.tokens.renewed_in_doubt", "may_renew",
         "io/test_relays.py"),
    ),
    *in_file(
        "_io/network.py", "io/test_proxies.py",
        ("NO_PROXY is ignored", 'if not value or _is_exempt(url, proxies.get("no", "")):',
         "if not value:"),
        ("the password of a proxy is shown",
         'shown = re.sub("^([a-z0-9]+://)?.*@", r"\\1***@", value)', "shown = value"),
        ("any port will do", "0 < parsed.port < 2**16", "True"),
        ("the port in NO_PROXY is ignored",
         'if match["port"] and int(match["port"]) != port:', "if False:"),
        ("a domain that ends alike is exempt", 'return host.endswith(f".{domain}")',
         "return host.endswith(domain)"),
    ),
    *in_file(
        "_protocol/headers.py", "io/test_relays.py",
        ("headers may replace the library's", "if header.lower() in _RESERVED:", "if False:"),
        ("a value may hold a line break", ("if not isinstance(value, str) or not "
         "_VALUE.fullmatch(value):"), "if not isinstance(value, str):"),
        ("a header may come twice", "if header.lower() in checked:", "if False:"),
    ),
    *in_file(
        "_io/walks.py",
        "io/test_cancelled_anext.py io/test_endings.py io/test_client*.py io/test_deadlines.py",
        ("a cancelled anext ends the walk",
         "        except KiwoomError as error:\n            if error.cursor is None:",
         ("        except BaseException as error:\n"
         '            if getattr(error, "cursor", 0) is None:')),
        ("a cancelled anext leaves the walk busy",
         "        finally:\n            self._running = False",
         "        else:\n            self._running = False"),
        ("a cancelled anext loses the page",
         ("        try:\n"
         "            page: Page[RowT, TotalsT] = self.tally.add(\n"
         "                await self._calls.page(self._query, self.cursor,"),
         ("        asked, self.cursor = self.cursor, None\n"
         "        try:\n"
         "            page: Page[RowT, TotalsT] = self.tally.add(\n"
         "                await self._calls.page(self._query, asked,")),
        ("a page without rows ends the walk", "self.cursor = page.next\n",
         "self.cursor = page.next if page.rows else None\n"),
        ("a failed walk goes on", "if self._finished or self.cursor is None or self.tally.stopped:",
         "if self.cursor is None or self.tally.stopped:"),
        ("a walk goes on after stop_when", "or self.tally.stopped:", ":",
         "io/test_declared_requests.py"),
        ("a whole walk passes for a stopped one",
         "if self._stop_when is not None and page.next is not None:",
         "if self._stop_when is not None:", "io/test_declared_requests.py"),
        ("two tasks may wait for one walk", "        if self._running:\n", "        if False:\n"),
        ("the deadline begins again with every page", "        if self._deadline is None:\n",
         "        if True:\n", "io/test_deadlines.py"),
        ("a failed walk is reported as complete", "complete = self.cursor is None",
         "complete = True", "io/test_events.py"),
        ("a part of a walk is compared with the totals", "self.tally.audit(sums=complete)",
         "self._tally.audit()", "io/test_endings.py io/test_events.py"),
        ("an error of the tally has no cursor", "            if error.cursor is None:",
         "            if False:", "io/test_endings.py"),
        ("no walk is learned from",
         "if page.next is None or page.number >= self._expected_pages:", "if False:",
         "protocol/test_estimate.py"),
        ("the end of a walk is reported twice", "if begun and not self._finished:", "if begun:",
         "io/test_events.py"),
        ("a walk left half-way is not reported",
         "        # Left half-way by a `break`.\n        self._finish()\n", "        pass\n",
         "io/test_cancelled_anext.py"),
        ("the cursor of rows is one page too far",
         ("            self.cursor = self._pages.cursor\n"
         "            self._rows = iter((await anext(self._pages)).rows)\n"),
         ("            self._rows = iter((await anext(self._pages)).rows)\n"
         "            self.cursor = self._pages.cursor\n")),
        ("rows go on after aclose", "        self._rows = iter(())\n        await self._pages",
         "        await self._pages"),
        ("athrow raises nothing of the caller's",
         "raise error.with_traceback(tb) if isinstance(error, BaseException) else error",
         "raise StopAsyncIteration"),
    ),
    *in_file(
        "_io/http.py", "io/test_http*.py io/test_custom_transports.py io/test_trailing_data.py",
        ("targets of redirects are read",
         '            event_hooks={"response": [_drop_location]},\n', ""),
        ("proxies see what is meant for this machine", "proxied = https and own_transport",
         "proxied = own_transport", "io/test_http.py io/test_proxies.py"),
        ("the proxies of the environment are not used", "proxied = https and own_transport",
         "proxied = False", "io/test_http.py io/test_proxies.py"),
        ("an attempt has no deadline",
         "self._deadline = anyio.current_time() + self.timeout_seconds",
         "self._deadline = anyio.current_time() + 3600"),
        ("a cancellation at the deadline is lost",
         "                group.start_soon(self.run)\n",
         ("                group.cancel_scope.deadline = (\n"
         "                    anyio.current_time() + self.timeout_seconds\n"
         "                )\n"
         "                group.start_soon(self.run)\n")),
        ("an error in the child task replaces a cancellation",
         "            self._error = transport_error(self.request, error)\n",
         "            raise transport_error(self.request, error) from error\n"),
        ("sent without a child task", "group.start_soon(self.run)", "await self.run()"),
        ("a rate limiter's bug is hidden behind the answer",
         ("        if self._error is not None:\n            raise self._error\n"
         "        if self._response is not None:\n            return self._response\n"),
         ("        if self._response is not None:\n            return self._response\n"
         "        if self._error is not None:\n            raise self._error\n")),
        ("a transport that cancels itself is a timeout",
         "if anyio.current_time() >= self._deadline:", "if True:"),
        ("no limit of connections",
         "        async with self._connection_limit:\n", "        if True:\n"),
        ("the timeouts of all requests are one", "dict(_NO_TIMEOUTS)", "_NO_TIMEOUTS"),
        ("httpx's own timeouts apply", 'extensions={"timeout": dict(_NO_TIMEOUTS)}',
         'extensions={"timeout": {"connect": 0.1, "read": 0.1, "write": 0.1, "pool": 0.1}}'),
        ("the body of a request is an async generator",
         "        outgoing.stream = _RequestBody(request.body)\n", ""),
        ("a body that is sent twice is empty",
         "        self._sent = False\n        return self", "        return self"),
        ("bytes behind an answer stay on the connection",
         'if "network_stream" in response.extensions:', "if False:"),
        ("connections are inspected when the pool has them back",
         ('            if "network_stream" in response.extensions:\n'
         "                self.connection = inspect_connection(response)\n"
         "            await response.aclose()\n"),
         ("            await response.aclose()\n"
         '            if "network_stream" in response.extensions:\n'
         "                self.connection = inspect_connection(response)\n")),
        ("a connection whose body is refused is not inspected",
         ("        finally:\n"
         "            # Before the pool has the connection back, and if the body is refused, too.\n"
         '            if "network_stream" in response.extensions:\n'
         "                self.connection = inspect_connection(response)\n"),
         ('            if "network_stream" in response.extensions:\n'
         "                self.connection = inspect_connection(response)\n"
         "        finally:\n")),
        ("a connection that cannot be inspected is kept",
         "if round_trip.connection is Connection.UNKNOWN:", "if False:",
         "io/test_httpcore_guard.py"),
        ("the pool of such connections is kept",
         ("            if self._transport is None:\n"
         "                self._clients.append(self._new_client(0))\n"), "",
         "io/test_httpcore_guard.py"),
        ("only the last client is closed", "            for client in self._clients:\n",
         "            for client in self._clients[-1:]:\n", "io/test_httpcore_guard.py"),
        ("closing is cancelled", "move_on_after(_CLOSING_SECONDS, shield=True)",
         "move_on_after(_CLOSING_SECONDS)", "io/test_client_state.py"),
        ("closing has no limit", "anyio.move_on_after(_CLOSING_SECONDS, shield=True)",
         "anyio.CancelScope(shield=True)", "io/test_client_state.py"),
        ("a body that is too large is read to its end",
         "        if len(body) > MAX_BODY_BYTES:\n", "        if False:\n"),
        ("a refused body is left half-way", "            await _cancel_body(chunks)\n", ""),
        ("an answer from memory is unpacked twice", 'unpack_body(response.content, "")',
         'unpack_body(response.content, response.headers.get("content-encoding", ""))'),
    ),
    *in_file(
        "_io/http_errors.py", "io/test_http.py io/test_custom_transports.py io/test_secrets.py",
        ("an error quotes what was sent",
         'cause = kind("its text is not shown: it may quote a secret")', "pass"),
        ("a mistake of the caller is retried",
         "local = isinstance(error, httpx.LocalProtocolError)", "local = False"),
        ("a full pool is the server's fault", "was free\", local=True)", 'was free")'),
    ),
    *in_file(
        "_io/httpcore_guard.py", "io/test_trailing_data.py io/test_httpcore_guard.py",
        ("records that anyio's TLS has read ahead",
         'getattr(stream, "_read_bio", None) or getattr(stream, "_incoming", None)',
         'getattr(stream, "_incoming", None)'),
        ("records that trio's TLS has read ahead",
         'getattr(stream, "_read_bio", None) or getattr(stream, "_incoming", None)',
         'getattr(stream, "_read_bio", None)'),
        ("bytes that anyio has taken from the socket",
         '(records is not None and records.pending) or getattr(protocol, "read_queue", None):',
         "records is not None and records.pending:"),
        ("bytes below TLS", 'stream = getattr(stream, "transport_stream", None)', "stream = None"),
        ("bytes that h11 holds", "if not trailing and not _has_read_ahead(network_stream):",
         "if not _has_read_ahead(network_stream):"),
        ("bytes read ahead", "if not trailing and not _has_read_ahead(network_stream):",
         "if not trailing:"),
        ("a doubtful connection is kept",
         "    connection._h11_state.send_failed()  # noqa: SLF001\n", ""),
        ("a connection that cannot be inspected is clean", "return Connection.UNKNOWN",
         "return Connection.CLEAN", "io/test_httpcore_guard.py"),
        ("connections of HTTP/2 are unknown",
         'if response.extensions.get("http_version") == b"HTTP/2":', "if False:",
         "io/test_httpcore_guard.py"),
    ),
    *in_file(
        "_io/rate_limit.py", "io/test_rate_limit.py",
        ("bulk calls do not let interactive ones first",
         "async with limiter.bulk_queue if bulk else nullcontext():", "async with nullcontext():"),
        ("bulk calls do not wait a turn", "await anyio.sleep_until(limiter.next_bulk_at)",
         "await anyio.sleep_until(limiter.next_bulk_at) if limiter.next_bulk_at > 0 else None"),
        ("bulk calls are not spaced", "await anyio.sleep_until(limiter.next_bulk_at)",
         "await anyio.sleep(0)"),
        ("interactive calls are spaced", "            if bulk:\n                # A turn",
         "            if True:\n                # A turn"),
        ("no margin below the shortest round trip", "_SPREAD_FRACTION: Final = 0.3",
         "_SPREAD_FRACTION: Final = -0.5"),
        ("nothing is subtracted", "return max(0.0, shortest - fraction * (median - shortest))",
         "return 0.0"),
        ("the first connections pass for the shortest", "_MIN_ROUND_TRIPS: Final = 10",
         "_MIN_ROUND_TRIPS: Final = 1"),
        ("a round trip before an idle time counts", "if next_end - end > _IDLE_SECONDS:",
         "if False:"),
        ("a running call holds no permit",
         "limiter.running + len(limiter.ends) >= limiter.permits\n                    or",
         "len(limiter.ends) >= limiter.permits\n                    or"),
        ("a failed call gives its permit back too soon",
         "max(ended_at, begun_at + seconds[len(seconds) // 2]) + seconds[0]", "begun_at"),
        ("a cancelled call keeps its permit", "        limiter.running -= 1\n",
         "        limiter.running -= error_type is None\n"),
        ("a pause does not hold the head of the queue",
         "(begun_at := anyio.current_time()) < limiter.paused_until",
         "(begun_at := anyio.current_time()) < 0"),
        ("a limit may rise", "if 0 < limit < self.per_second:", "if 0 < limit < 1e9:"),
        ("a shorter pause ends a longer one",
         "max(self.paused_until, anyio.current_time() + seconds)",
         "anyio.current_time() + seconds"),
    ),
    *in_file(
        "_io/tokens.py", "io/test_tokens.py",
        ("each task issues a token",
         "                return self.cached\n            return await self._replace()",
         "                pass\n            return await self._replace()"),
        ("a renewal without compare-and-swap", "if self.cached is refused:", "if True:"),
        ("a failed issue is not shared", "raise copy(self._failure) from self._failure", "pass",
         "io/test_outages.py"),
        ("a token near its end is asked for at every call",
         "max(token.expires - RENEW_BEFORE, now + KEEP_AT_LEAST)", "token.expires - RENEW_BEFORE"),
        ("a token is used until it dies", "max(token.expires - RENEW_BEFORE,",
         "max(token.expires,"),
        ("renewals in doubt are forgotten",
         "self.renewed_in_doubt = token if in_doubt else None", "pass", "io/test_relays.py"),
        ("any revoked token is dropped",
         "if self.cached is not None and self.cached.value == revoked.value:",
         "if self.cached is not None:"),
    ),
    *in_file(
        "_io/accounts.py", "io/test_accounts.py",
        ("a walk changes its key", "        if cursor.account:\n", "        if False:\n"),
        ("always the first key",
         "min(self._by_last_turn, key=lambda account: account.running_calls)", "self._all[0]"),
        ("keys do not take turns", "        self._by_last_turn.append(account)\n",
         "        self._by_last_turn.insert(0, account)\n"),
        ("one rate limiter for all keys",
         "self.name = hashlib.sha256(identity).hexdigest()[:_FINGERPRINT_LENGTH]",
         'self.name = "one"'),
        ("the accounts of two hosts are one", 'f"{base_url.lower()}\\n{keys.app_key}"',
         'f"{keys.app_key}"'),
        ("a walk of an unknown key goes on with the first",
         "        raise ContinuationError(\n", ("        return self._all[0]\n"
         "        raise ContinuationError(\n")),
        ("estimates ignore an adopted limit",
         "return self._requests_per_second if limiter is None else limiter.per_second",
         "return self._requests_per_second", "protocol/test_estimate.py"),
    ),
    *in_file(
        "_io/client_state.py", "io/test_client_state.py io/test_event_loops.py",
        ("calls of a closed client return",
         "if scope.cancelled_caught and self._all_ended is not None:", "if False:"),
        ("closing cancels nothing", "            scope.cancel()\n", "            pass\n"),
        ("closing does not wait", "            await self._all_ended.wait()\n",
         "            pass\n"),
        ("a closed client begins calls",
         "        if self._all_ended is not None:\n            raise _closed_error()\n", ""),
        ("any event loop will do", "if self._loop != loop:", "if False:"),
    ),
    *in_file(
        "_io/merge.py", "io/test_merge*.py",
        ("a merge forgets where to resume", "start = self._start.get(query)", "start = None"),
        ("a failure is dropped", "await self._put(Failure(query, error))", "pass"),
        ("the end of a merge is taken for completion", "            if self._closed:\n",
         "            if self._closed:\n                raise StopAsyncIteration\n"),
        ("a failed merge goes on", "        if self._raised is not None:\n",
         "        if False:\n", "io/test_merge*.py io/test_cancelled_anext.py"),
        ("a merge has no deadline", "seconds = self._deadline - current_time()",
         'seconds = float("inf")', "io/test_deadlines.py"),
        ("each walk has the whole deadline", "seconds = self._deadline - current_time()",
         "seconds = self._deadline", "io/test_deadlines.py"),
        ("merged calls are interactive", "seconds, Priority.BULK, stop_when", "seconds, stop_when"),
        ("a merge does not stop", "stop_when=self._stop_when", "stop_when=None",
         "io/test_declared_requests.py"),
        ("a query may come twice", "    if query in seen:\n", "    if False:\n"),
        ("queries of a generator are not checked",
         "                self._calls.check(query)\n", ""),
        ("a walk to resume may be missing", "        check_all_asked(self._start, seen)\n", ""),
        ("a generator of queries is left open",
         "aclosing(asynchronous) if isinstance(asynchronous, AsyncGenerator) else None", "None"),
        ("an error of the caller's block is replaced",
         "next((error for error in raised if error is in_block), raised[0])", "raised[0]"),
        ("an error at the same time is forgotten",
         '                bare.add_note(f"at the same time: {other!r}")\n',
         "                pass\n"),
        ("leaving a merge does not end it", "            group.cancel_scope.cancel()\n", ""),
        ("failures are left out of rows()",
         '                return cast("RowItemT", item)\n', "                continue\n"),
        ("rows go on after aclose",
         ('        """Give no more rows of the present page; the merge ends with its block."""\n'
         "        self._rows = iter(())\n"),
         '        """Give no more rows of the present page; the merge ends with its block."""\n'),
        ("no failure is raised", 'if self._on_error == "raise" and isinstance(item, Failure):',
         "if False:"),
        ("more than one page is held beside the walks", "anyio.Semaphore(1)",
         "anyio.Semaphore(1000)"),
    ),
    *in_file(
        "_io/watch.py", "io/test_watch*.py",
        ("rows are gone after a failed walk",
         "            self._items.append(Failure(walk.query, error))\n",
         ("            self._items.append(Failure(walk.query, error))\n"
         "            self._items += walk.complete()\n")),
        ("unchanged rows are changes", "if row != earlier:", "if True:"),
        ("rows are forgotten", "self._rows[key] = self._seen[key] = row", "self._seen[key] = row"),
        ("rows of one key are one row", "self._occurrences[row_key] += 1", "pass",
         "io/test_declared_requests.py"),
        ("a series is walked whole each round", "if settled and self.query.newest_first",
         "if False", "io/test_declared_requests.py"),
        ("any request is taken for newest first", "self.query.newest_first", "True"),
        ("a failed walk hides rows", "settled = row == self._settled.get(key)",
         "settled = row == earlier", "io/test_declared_requests.py"),
        ("rows behind the last one are gone", "if self.tally.stopped:  # what", "if False:  # what",
         "io/test_declared_requests.py"),
        ("a row that could not be read is gone",
         "if self._seen and not self._undecoded:", "if self._seen:", "io/test_nothing_lost.py"),
        ("every row is gone on a day without data",
         "if self._seen and not self._undecoded:", "if not self._undecoded:"),
        ("no page is learned from", "        self._calls.page_counts.learn(page)\n", "",
         "io/test_watch*.py protocol/test_estimate.py"),
        ("sums of a moving market are a warning", "audit=walk.tally.audit(sums=False)",
         "audit=walk.tally.audit()", "io/test_watch*.py io/test_endings.py"),
        ("rows that are gone stay known", "self._rows.pop(key), None)", "self._rows[key], None)"),
        ("a watch is interactive", "walk.cursor, Priority.BULK)",
         "walk.cursor, Priority.INTERACTIVE)", "io/test_bulk_patience.py io/test_watch*.py"),
        ("an outage meets a storm of calls",
         "self._failed_rounds = 0 if self._complete_walks else self._failed_rounds + 1",
         "self._failed_rounds = 0"),
        ("rounds do not wait for `every`",
         "            self._round_began_at + self._every_seconds,\n", "            0.0,\n"),
        ("a watch that is too fast is never warned of",
         "if 0 < self._every_seconds < estimate.seconds:", "if False:"),
        ("a watch that is too fast is warned of every round",
         "            self._warned = True\n", ""),
        ("a cancelled anext leaves the watch busy",
         "        finally:\n            self._running = False\n        return",
         ("        except Exception:\n            self._running = False\n            raise\n"
         "        self._running = False\n        return")),
        ("the queries of the next round are not asked for", "if callable(self._queries):",
         "if callable(self._queries) and not self._watched:", "io/test_midnight.py"),
        ("rows are forgotten with every round",
         "known.get(query) or _WatchedQuery(query)", "_WatchedQuery(query)",
         "io/test_midnight.py"),
        ("queries of a function are not checked", "            check_query(query, seen)\n", "",
         "io/test_midnight.py"),
        ("a round without queries is repeated at once",
         "max(self._every_seconds, self._PAUSE_WITHOUT_QUERIES_SECONDS)", "0.0",
         "io/test_midnight.py"),
        ("a day that has passed is warned of every round",
         "                self._days_that_passed.add(day)\n", "", "io/test_midnight.py"),
        ("two tasks may wait for one watch", "        if self._running:\n", "        if False:\n"),
        ("a closed watch goes on", "                if self._closed:\n",
         "                if False:\n"),
        ("the end of a walk is not reported",
         "        self._emit_finished(complete=page.next is None)\n", "", "io/test_events.py"),
    ),
]  # fmt: skip

SPEED = [
    *in_file(
        "speed/_columns.py", "speed/test_columns.py speed/test_*engine*.py",
        ("validators are passed over",
         "field.validator or field.converter or not field.init for field in fields",
         "not field.init for field in fields"),
        ("hooks are passed over", "if not _HOOKS.isdisjoint(", "if _HOOKS.issuperset("),
        ("metaclasses see the twin", "if type(cls) is not type or slots", "if slots"),
        ("a cached hash is passed over", 'slots - {"__weakref__"} != {', 'False and {1} != {'),
        ("a page of any number of rows", "if len(columns[0]) > MAX_ROWS:", "if False:"),
        ("a blank row is a row", "if not all(map(str.strip, columns[0])):", "if False:"),
        ("rows are not frozen", "row.__class__ = cls  #", "pass  #"),
        ("names are not counted",
         'if page.return_code != 0 or body.count(b":") != names:', "if page.return_code != 0:"),
        ("refusals are pages",
         'if page.return_code != 0 or body.count(b":") != names:',
         'if body.count(b":") != names:'),
        ("a page of an error status is read",
         "    if response.status != 200:\n        return None\n", ""),
        ("a plus and a minus are one number",
         'if "+-" in joined or len(joined.split()) != 1:', "if len(joined.split()) != 1:"),
        ("a blank may follow a plus",
         'if "+-" in joined or len(joined.split()) != 1:', 'if "+-" in joined:'),
        ("two numbers in one", "if len(numbers) != len(column):", "if False:"),
        ("numbers without end",
         "Annotated[int, msgspec.Meta(ge=-_MAX_INTEGER, le=_MAX_INTEGER)]", "int"),
        ("prices keep their sign", "    magnitude: _magnitudes,", "    magnitude: _integers,"),
        ("no column is read at once", "at_once = _COLUMN_READERS.get(inner)", "at_once = None"),
        ("an unknown code is an error",
         "        except KeyError:\n            return super().__call__(column)\n",
         "        except KeyError:\n            return [None] * len(column)\n"),
    ),
    *in_file(
        "speed/_engine.py", "speed",
        ("no page is read by columns", "result = read_page(response, query)", "result = None"),
        ("one header of a name", 'f"{headers[name]}, {value}" if name in headers else value',
         "value"),
        ("new connections are opened outside of a child task",
         "await first.run_in_child_task()", "await first.run()"),
        ("idle connections are never used", "idle = self._connections.idle(address.origin)",
         "idle = None"),
        ("no limit of connections",
         "        async with self._connection_limit:\n", "        if True:\n"),
        ("a request that cannot be sent leaves its connection",
         "        connection.abort()\n        raise", "        raise"),
        ("an answer on a kept connection may take for ever",
         "_send_on(self._connections, idle, address, request, timeout_seconds)",
         "_send_on(self._connections, idle, address, request, None)"),
        ("an answer in pieces without end is a transport error",
         "except httpx.TimeoutException:", "except ZeroDivisionError:"),
        ("the body is not unpacked",
         'unpack_body(b"".join(answer.chunks), answer_headers.get("content-encoding", ""))',
         'b"".join(answer.chunks)'),
        ("totals are not read", "totals = structure_totals(body, query.totals_class)",
         "totals = query.totals_class()"),
        ("connections are not closed", "        await self._connections.aclose()\n",
         "        pass\n"),
    ),
    *in_file(
        "speed/_connections.py", "speed/test_connections*.py speed/test_fast_engine.py",
        ("bytes that were not asked for are kept",
         "            self.reusable = False\n            return", "            return"),
        ("a second answer is kept",
         "if self._waiting is not None and self._waiting.done():\n            self.reusable",
         "if False:\n            self.reusable"),
        ("connections are kept for ever",
         "recent = self._loop.time() - self._idle_since < _IDLE_SECONDS", "recent = True"),
        ("half a body is whole", "exc is None and self._in_body and self._ends_with_connection()",
         "exc is None and self._in_body"),
        ("headers without end",
         "if self._other_bytes > _MAX_HEADER_BYTES + 8 * self._body_bytes:", "if False:"),
        ("a body without end", "        if self._body_bytes > MAX_BODY_BYTES:\n",
         "        if False:\n"),
        ("trailers are headers",
         "        if not self._in_body:\n            self._headers.append",
         "        if True:\n            self._headers.append"),
        ("early hints are the answer", "if 100 <= self._parser.get_status_code() < 200:",
         "if False:"),
        ("a connection that is to be closed is kept",
         "self.reusable = self.reusable and self._parser.should_keep_alive()", "pass"),
        ("lines are smuggled into the headers", 'head.count("\\n") >= len(lines) or',
         "False or"),
        ("hosts share connections", "            self._idle[origin].append(connection)\n",
         "            [idle.append(connection) for idle in self._idle.values()]\n"),
        ("the end over TLS is not seen", "ended = self._transport.is_closing()",
         "ended = self.lost.is_set()"),
        ("bytes that wait in the socket are not seen", " and not self._arrived()", ""),
        ("a failed call leaves its connection",
         ("        except BaseException:\n            connection.abort()\n            raise\n"
         "        if connection.reusable:"),
         "        except BaseException:\n            raise\n        if connection.reusable:"),
    ),
]  # fmt: skip

WINGS = [
    *in_file(
        "tables/__init__.py", "tables",
        ("a missing price makes floats",
         " or (field.type == pa.int64() and field.nullable)\n", "\n"),
        ("shares are floats",
         "return pa.decimal128(max(_DECIMAL_DIGITS, 2 * decimals), decimals)",
         "return pa.float64()"),
        ("hundredths have ten decimals", 'metadata.get("read") is hundredths', "False"),
        ("an enum is its value", "value.name if isinstance(value, Enum)",
         "value.value if isinstance(value, Enum)"),
    ),
    *in_file(
        "archive/_fetch.py", "archive/test_provisional.py",
        ("pages of yesterday and today make a walk",
         "return not self._is_provisional(entry.query)", "return True"),
        ("an unfinished day is final", "settled = entry.is_settled(",
         "settled = entry.state is State.COMPLETE or entry.is_settled("),
        ("another request settles a walk of the same fields",
         "entries = {entry.key: entry for entry in self.manifest.entries()}",
         "entries = {entry.query: entry for entry in self.manifest.entries()}",
         "archive/test_declared_requests.py"),
        ("pages of two days make a walk without a day",
         "return self._first_day(entry.query) == korean_day(_times.utc_now())", "return True",
         "archive/test_declared_requests.py"),
        ("what is there is brought up to date first",
         "return sorted(remaining, key=whole.__contains__)", "return remaining",
         "archive/test_declared_requests.py"),
        ("no data replaces data",
         "entry = keep_earlier(earlier, entry, file_damage(earlier, self.files))", "pass"),
        ("a refused cursor fails the walk",
         "return refused or isinstance(error, ContinuationError | DecodeError)",
         "return False and refused", "archive/test_interrupted_fetch.py"),
        ("pages that came are lost on cancelling",
         "    def _save_and_release(self) -> None:\n        self._save_pending()\n",
         "    def _save_and_release(self) -> None:\n", "archive/test_interrupted_fetch.py"),
    ),
    *in_file(
        "archive/_owner_lock.py", "archive/test_concurrent_fetches.py",
        ("other owners count as dead", "return not try_lock(file.fileno())", "return False"),
        ("dead owners count as alive", "return not try_lock(file.fileno())", "return True"),
    ),
    *in_file(
        "archive/__init__.py", "archive/test_manifest.py",
        ("sources mix", "            manifest.set_source(_source_name(kiwoom))\n", ""),
    ),
    *in_file(
        "archive/_data_set.py", "archive/test_declared_requests.py",
        ("a stock code is a partition, which polars reads as a number",
         "partition = same and not optional and (", "partition = same and (True or "),
        ("a row's own date is the query's",
         "while name not in taken and column.casefold() in occupied:", "while False:"),
        ("Windows drops a dot", 'return re.sub(r"\\.$", "%2E", quoted)', "return quoted"),
    ),
    *in_file(
        "archive/_queries.py", "archive/test_declared_requests.py",
        ("files that differ in case only are two", "other = by_file.get(file.casefold())",
         "other = by_file.get(file)"),
        ("another class takes the place of an entry",
         "if same and (same.file != file or key in asked):", "if same and key in asked:"),
        ("changed columns mix", "if data_sets.get(data_set.name, data_set) != data_set:",
         "if False:"),
    ),
    *in_file(
        "archive/_entry.py", "archive/test_declared_requests.py",
        ("a walk without a day is final", "return self.final or (", "return self.whole or ("),
        ("refresh collects nothing", "collected == today and not refresh", "collected == today"),
    ),
    *in_file(
        "archive/_verify.py", "archive/test_verify.py",
        ("missing weekdays are not seen", "    yield from _missing_weekdays(entries)\n", ""),
    ),
    *in_file(
        "archive/_damage.py", "archive/test_verify.py",
        ("checksums are not compared",
         "if (digest.bytes, digest.checksum) != (entry.bytes, entry.checksum):",
         "if digest.bytes != entry.bytes:"),
    ),
    *in_file(
        "archive/_parquet.py", "archive/test_interrupted_fetch.py",
        ("files are written in place", "        path = self._partial / owner\n",
         ("        path = self.path(entry)\n"
         "        path.parent.mkdir(parents=True, exist_ok=True)\n")),
    ),
    *in_file(
        "cli/_call.py", "cli/test_call_command.py",
        ("a page that comes again is printed",
         "if reply.restarted and self._rows_seen.issuperset(rows):", "if False:"),
        ("rows that did not come before are left out",
         "if reply.restarted and self._rows_seen.issuperset(rows):", "if reply.restarted:"),
        ("pages go round with new keys", "        self._pages_seen.add(page)\n", ""),
        ("more pages are not named", "        if reply.next is not None:\n            self.cursor",
         "        if False:\n            self.cursor"),
        ("a restart is no finding", "        self.restarted = True\n", ""),
    ),
    *in_file(
        "cli/_conversion.py", "cli/test_rows_files.py",
        ("every page begins a stream", "pieces = [table.schema] if first else []",
         "pieces = [table.schema]"),
    ),
    *in_file(
        "cli/_report_archive.py", "cli/test_report_command.py",
        ("simulated numbers look real", "simulated=archive.simulated", "simulated=False"),
    ),
    *in_file(
        "report/_ranking.py", "report/test_figures.py",
        ("bought is blue", '_Side("Net bought", "순매수", BUY_COLOUR, 1)',
         '_Side("Net bought", "순매수", SELL_COLOUR, 1)'),
    ),
    *in_file(
        "sharing/_queue.py", "sharing/test_queue.py",
        ("a free slot is for any program", "if ahead == 0 and next_slot_ms", "if next_slot_ms"),
        ("a held permit comes back as before",
         "permit.back_ms = max(permit.back_ms, now_ms + hold_ms)", "pass",
         "sharing/test_shared_rate_limiter.py"),
        ("bulk calls that are not due go before interactive ones",
         "due = bucket.next_bulk_ms <= now_ms + _EARLY_LEADS * request.lead_ms", "due = True"),
        ("dead programs are waited for", "or ticket.due_ms + _GRACE_MS >= now_ms", "or True"),
        ("all bulk calls stand in one queue",
         "queue = bucket.bulk_queue if request.bulk else bucket.queue", "queue = bucket.queue"),
        ("the limit of a 429 is not shared", "        bucket.limit = limit\n", ""),
        ("a new bucket is free at once", "free_at_ms=now_ms + wait_ms)", "free_at_ms=now_ms)"),
        ("a clock that restarts stops all programs", "if bucket.updated_ms > now_ms:", "if False:"),
        ("a limit does not last when it is named again", "or limit <= bucket.limit",
         "or limit < bucket.limit", "sharing/test_shared_rate_limiter.py"),
    ),
    *in_file(
        "sharing/_queue.lua", "sharing/test_queue.py",
        ("a pause is forgotten",
         "bucket.free_at_ms = math.max(bucket.free_at_ms, now + request.pause_ms)",
         "bucket.free_at_ms = math.max(bucket.free_at_ms, now)"),
        ("a permit is not held", "permit.back_ms = math.max(permit.back_ms, back)", ""),
        ("all bulk calls stand in one queue",
         "local queue = request.bulk and bucket.bulk_queue or bucket.queue",
         "local queue = bucket.queue"),
    ),
    *in_file(
        "sharing/_shared_rate_limiter.py", "sharing/test_shared_rate_limiter.py",
        ("a late answer is a slot", "if current_time() <= due_at + _STALE_SECONDS else None", ""),
        ("late calls are not reported", "if arrived_at - slot.begins_at <= MARGIN_SECONDS:",
         "if True:"),
        ("every call is reported", "if arrived_at - slot.begins_at <= MARGIN_SECONDS:",
         "if False:"),
        ("reserved slots are used while all is well",
         "self._max_per_second = per_second - policy.reserved",
         "self._max_per_second = per_second"),
    ),
    *in_file(
        "sharing/_token_leases.py", "sharing/test_token_leases.py",
        ("a lease holds for no time", "stored.lease_until_ms > now_ms:", "False:"),
        ("a late issue overwrites a newer token", "if stored.issue == lease.replaces:", "if True:"),
        ("any program ends a lease", "if self.lease_holder == program_id:", "if True:"),
        ("a token near its end is given",
         "self.expires_unix_seconds - RENEW_BEFORE.total_seconds()", "self.expires_unix_seconds"),
        ("reading writes", "(None if after == before else after)", "after"),
        ("every program renews a refused token",
         "if stored.issue != refused_issue and stored.usable(now_ms):",
         "if not refused_issue and stored.issue:", "sharing/test_shared_token_store.py"),
    ),
    *in_file(
        "sharing/_locked_file.py", "sharing/test_shared_files.py",
        ("other users can read the file", "with open(os.open(new_path, flags, 0o600)",
         "with open(os.open(new_path, flags, 0o644)"),
        ("no lock", "            self._wait_for_lock(descriptor)\n", ""),
    ),
    *in_file(
        "sharing/_store.py", "sharing/test_shared_files.py",
        ("the data of another version are overwritten",
         "if stored_format != FORMAT or not isinstance(data, dict):", "if False:"),
    ),
    *in_file(
        "sharing/_encryption.py", "sharing/test_shared_redis.py",
        ("a token is stored in plain text",
         "_ENCRYPTED + self._fernet.encrypt(token.encode()).decode()", "_ENCRYPTED + token"),
    ),
    *in_file(
        "sharing/_thread_runner.py", "sharing/test_thread_runner.py",
        ("a cancelled caller waits", "abandon_on_cancel=True", "abandon_on_cancel=False"),
        ("threads of other code are used up", ", limiter=self._threads)", ")"),
    ),
    *in_file(
        "sharing/_program.py", "sharing/test_shared_token_store.py",
        ("a forked child is its parent", '-{os.getpid()}"\n\n\ndef program_name',
         '"\n\n\ndef program_name'),
    ),
    *in_file(
        "sharing/_shared_token_store.py", "sharing/test_shared_token_store.py",
        ("the last stored issue is forgotten", "        self._last_issue = token.issue\n", ""),
    ),
]  # fmt: skip

MUTATIONS = [*CORE, *SPEED, *WINGS]


def first_failure(
    arguments: list[str], timeout_seconds: float, mutation: Mutation | None = None
) -> str:
    """Return the first test that fails, with the bug planted if there is one; "" for none."""
    with TemporaryDirectory() as directory:
        copy = Path(directory)
        for name in ("kiwoom_async", "tests"):
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md", "README.ko.md"):
            shutil.copy(ROOT / name, copy / name)
        if mutation is not None:
            mutation.plant(copy)
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
        try:
            run = subprocess.run(  # noqa: S603
                [*command, *arguments], cwd=copy, env=os.environ | {"PYTHONPATH": str(copy)},
                timeout=timeout_seconds, capture_output=True, text=True, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return "(a test hangs)"
    if run.returncode == -signal.SIGTERM:
        raise SystemExit("pytest was ended by another program")
    if run.returncode in (0, pytest.ExitCode.NO_TESTS_COLLECTED):
        return ""
    named = ("FAILED tests", "ERROR tests")
    red = [line for line in run.stdout.splitlines() if line.startswith(named)]
    return red[0].split(" - ")[0] if red else f"(pytest exits with {run.returncode})"


@cache
def failure_without_bug(tests: tuple[str, ...]) -> str:
    """Return the first of these tests that fails anyway, so that it shows nothing."""
    return first_failure([*tests, *ASYNCIO_ONLY], TIMEOUT_SECONDS)


def judge(mutation: Mutation) -> tuple[Mutation, str, float]:
    """Return the mutation, the test that sees it ("" for none), and the seconds it took."""
    began = time.monotonic()
    named = mutation.test_files()
    if failure := failure_without_bug(tuple(named)):
        raise SystemExit(f"{failure}: it fails without any bug, too")
    red = (
        first_failure([*named, *ASYNCIO_ONLY], TIMEOUT_SECONDS, mutation)
        or first_failure(named, TIMEOUT_SECONDS, mutation)
        or (
            mutation.file.startswith("speed/")
            and first_failure(FAST_ENGINE, WHOLE_TIMEOUT_SECONDS, mutation)
        )
        or first_failure(WHOLE_SUITE, WHOLE_TIMEOUT_SECONDS, mutation)
    )
    return mutation, red, time.monotonic() - began


def outdated_parts(mutation: Mutation) -> Iterator[str]:
    """Yield what an entry names that is not there any more."""
    if (count := mutation.count()) != 1:
        yield f"{mutation}: {mutation.old!r} is there {count} times, expected once"
    for pattern in mutation.tests.split():
        if not any((ROOT / "tests").glob(pattern)):
            yield f"{mutation}: no tests are called {pattern}"


def main() -> None:
    """Plant the chosen bugs and print what became of each."""
    if outdated := [line for mutation in MUTATIONS for line in outdated_parts(mutation)]:
        sys.exit("\n".join(outdated))
    words = sys.argv[1:]
    chosen = [
        mutation
        for mutation in MUTATIONS
        if not words or any(word in str(mutation) for word in words)
    ]
    survivors = 0
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        for mutation, red, seconds in pool.map(judge, chosen):
            survivors += not red
            print(f"{mutation}: {red or 'SURVIVED'} ({seconds:.0f} s)", flush=True)
    print(f"{len(chosen)} planted, {len(chosen) - survivors} red, {survivors} survived")
    sys.exit(bool(survivors))


if __name__ == "__main__":
    main()
