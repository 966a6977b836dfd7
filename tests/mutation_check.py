"""Plants bugs one at a time and shows that the tests go red for each; run on demand.

`python tests/mutation_check.py [WORD ...]`: all of them, or those whose name holds a word. A bug
that the tests named beside it do not see is tried against the whole suite. Exit code 1 when one
survives that too.
"""

import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import frozen

ROOT = Path(__file__).parent.parent
AT_ONCE = 2
# A bug may make a test wait for ever: that is red, too. The whole suite takes some minutes.
TIMEOUT_SECONDS = 240
WHOLE_TIMEOUT_SECONDS = 1200


@frozen
class Mutation:
    """A bug: in `file` of the package, `old` becomes `new`; `tests` should see it."""

    name: str
    file: str
    old: str
    new: str
    tests: str

    def plant(self, root: Path) -> None:
        """Write the bug into a copy; ValueError unless there is exactly one place for it."""
        path = root / "kiwoom_async" / self.file
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(
                f"{self.name}: {self.old!r} is {text.count(self.old)} x in {path.name}"
            )
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


MUTATIONS = [
    Mutation("no loop guard", "_continuation.py",
             "if key == asked.key or _came_before(key, asked.used):", "if False:",
             "test_cursor.py"),
    Mutation("loop guard finds a key between two others", "_continuation.py",
             "if found % 4 == 0:", "if found >= 0:", "test_cursor.py"),
    Mutation("compiled: what came unasked is kept", "_compiled.py",
             "            self.reusable = False\n            return", "            return",
             "test_speed.py"),
    Mutation("compiled: kept for ever", "_compiled.py",
             "recent = self._loop.time() - self._idle_since < _IDLE_SECONDS", "recent = True",
             "test_speed.py"),
    Mutation("compiled: half a body is whole", "_compiled.py",
             "exc is None and self._in_body and self._ends_with_connection()",
             "exc is None and self._in_body", "test_speed.py"),
    Mutation("compiled: headers without end", "_compiled.py",
             "if self._other_bytes > _MOST_HEADER_BYTES + 8 * self._body_bytes:", "if False:",
             "test_speed.py"),
    Mutation("compiled: trailers are headers", "_compiled.py",
             "        if not self._in_body:\n            self._headers.append",
             "        if True:\n            self._headers.append", "test_speed.py"),
    Mutation("a stream that is refused is read on", "_httpx.py",
             "            await _break_off(chunks)\n            break\n",
             "            await _break_off(chunks)\n", "test_transport.py"),
    Mutation("timeouts of all are one", "_httpx.py",
             "dict(_NO_TIMEOUTS)", "_NO_TIMEOUTS", "test_transport.py"),
    Mutation("what stands around a transport is passed over", "_transport.py",
             'getattr(type(transport), "line_to", None)', 'getattr(transport, "line_to", None)',
             "test_speed.py"),
    Mutation("an encoding that may be a secret is shown", "_body.py",
             'if encoding in _OTHERS else "an encoding"', "", "test_transport.py"),
    Mutation("compiled: early hints are the answer", "_compiled.py",
             "if 100 <= self._parser.get_status_code() < 200:", "if False:", "test_speed.py"),
    Mutation("compiled: lines smuggled", "speed.py",
             'head.count(b"\\n") >= len(lines) or', "False or", "test_speed.py"),
    Mutation("loop guard forgets the first key", "_continuation.py",
             "found + 1)) >= 0:", "found + 1)) > 3:", "test_cursor.py"),
    Mutation("loop guard forgets on resuming", "_continuation.py",
             'data = facts.encode() + b"\\n" + self.used', 'data = facts.encode() + b"\\n"',
             "test_cursor.py"),
    Mutation("missing key taken for the end", "_continuation.py",
             'raise ContinuationError("cont-yn is Y, but next-key is empty")', "return None",
             "test_cursor.py"),
    Mutation("Y taken for the end", "_continuation.py",
             'if announced == "N" or', 'if announced in "NY" or', "test_cursor.py"),
    Mutation("page number stands still", "_continuation.py",
             "key, asked.page + 1, used, asked.account)",
             "key, asked.page, used, asked.account)", "test_cursor.py"),
    Mutation("no data taken for the end", "_pages.py",
             "if rows and following is None and cursor.page > 1", "if False and cursor.page > 1",
             "test_program_trades.py"),
    Mutation("retry 1634", "_protocol.py",
             "or (return_code == 5 and code is None)", "or return_code == 5",
             "test_nothing_lost.py"),
    Mutation("never retry 1999", "_policy.py",
             '_TRANSIENT: Final = frozenset({"1999", "8006", "8009"})',
             '_TRANSIENT: Final = frozenset({"8006", "8009"})', "test_nothing_lost.py"),
    Mutation("renew on every category 3", "_policy.py",
             "if isinstance(error, AuthError) and error.code in _RENEWABLE:",
             "if isinstance(error, AuthError):", "test_nothing_lost.py"),
    Mutation("floor after a 429 forgotten", "_calls.py",
             "pause = max(seconds, pause_seconds(error))", "pause = seconds",
             "test_client.py test_nothing_lost.py"),
    Mutation("the first minute of a long Retry-After forgotten", "_policy.py",
             "asked = max(_RATE_FLOOR_SECONDS, error.retry_after or 0.0)",
             "asked = _RATE_FLOOR_SECONDS", "test_client.py"),
    Mutation("a pace's bug behind the answer", "_transport.py",
             "outcomes[:0] = failed.exceptions", "outcomes.extend(failed.exceptions)",
             "test_transport.py"),
    Mutation("limit of a 429 ignored", "_calls.py",
             "refused(pause, error.limit or math.inf)", "refused(pause, math.inf)",
             "test_client.py"),
    Mutation("no slot", "_calls.py",
             "            await call.pace.slot(call.priority)\n", "", "test_client.py"),
    Mutation("bulk like interactive", "_pace.py",
             "if priority is Priority.INTERACTIVE:", "if True:", "test_merge.py"),
    Mutation("no margin for jitter", "_pace.py",
             "_JITTER_SECONDS: Final = 0.045", "_JITTER_SECONDS: Final = -0.02",
             "test_pace.py test_client.py"),
    Mutation("budget never spent", "_policy.py",
             "        self._left -= 1.0\n", "", "test_nothing_lost.py"),
    Mutation("budget never earned", "_calls.py",
             "                self._budget.earn()\n", "                pass\n", "test_client.py"),
    Mutation("token issued by each", "_token.py",
             "            return self._fresh() or await self._replaced()",
             "            return await self._replaced()", "test_client.py"),
    Mutation("renewal without compare-and-swap", "_token.py",
             "if self.held is refused:", "if True:", "test_client.py test_token.py"),
    Mutation("failed issue not shared", "_token.py",
             "raise copy(self._failure) from self._failure", "pass", "test_nothing_lost.py"),
    Mutation("stale token after a renewal", "client.py",
             "return encode_page(query, cursor, await account.tokens.get())",
             "return encode_page(query, cursor, account.tokens.held or await account.tokens.get())",
             "test_client.py test_token.py"),
    Mutation("buy and sell swapped", "program_trades.py",
             'field(metadata=wire("buy_cntr_amt"', 'field(metadata=wire("sel_cntr_amt"',
             "test_program_trades.py"),
    Mutation("double minus refused", "_wire.py",
             r'_WHOLE: Final = re.compile(rf"(\+|--?)?',
             r'_WHOLE: Final = re.compile(rf"(\+|-)?', "test_wire.py"),
    Mutation("signs dropped", "_wire.py",
             "return kind(minus + digits)", "return kind(digits)", "test_wire.py"),
    Mutation("decimals rounded to the context", "_wire.py",
             "return kind(minus + digits)", "return -kind(digits) if minus else kind(digits)",
             "test_wire.py"),
    Mutation("underscores in numbers", "_columns.py",
             'not together.isascii() or "_" in together or', "not together.isascii() or",
             "test_quick_rows.py"),
    Mutation("digits of other scripts", "_columns.py",
             'not together.isascii() or "_" in together or', '"_" in together or',
             "test_quick_rows.py"),
    Mutation("numbers without end", "_columns.py",
             " or max(map(len, column)) > LONGEST:", ":", "test_quick_rows.py"),
    Mutation("half a character in a column", "_columns.py",
             '"".join(column).encode()', '"".join(column)', "test_quick_rows.py"),
    Mutation("nesting without end", "_columns.py",
             "_unusual: Final = (LookupError, RecursionError,", "_unusual: Final = (LookupError,",
             "test_quick_rows.py"),
    Mutation("a page of any number of rows", "_columns.py",
             "if len(columns[0]) > most_rows else", "if False else", "test_quick_rows.py"),
    Mutation("blank row read quickly", "_columns.py",
             "if not all(map(str.strip, columns[0])):", "if False:", "test_quick_rows.py"),
    Mutation("rows not frozen", "_columns.py",
             "row.__class__ = self._cls  #", "pass  #", "test_quick_rows.py"),
    Mutation("quick rows never taken", "_columns.py",
             "return maker.rows([*zip(*map(maker.values, raw_rows), strict=True)], context)",
             "return None", "test_quick_rows.py"),
    Mutation("blank amount is zero", "_wire.py",
             "match = form.fullmatch(value.strip()) if isinstance(value, str) else None",
             'match = form.fullmatch(value.strip() or "0") if isinstance(value, str) else None',
             "test_program_trades.py test_wire.py"),
    Mutation("blank row delivered or lost", "_pages.py",
             "return bool(values) and all(is_blank(value) for value in values)",
             "return any(is_blank(value) for value in values)", "test_program_trades.py"),
    Mutation("unread rows not counted", "program_trades.py",
             "undecoded_rows=sum(len(page.undecoded) for page in pages)", "undecoded_rows=0",
             "test_nothing_lost.py"),
    Mutation("duplicate names in JSON", "_protocol.py",
             "if len(found) != len(pairs):", "if False:", "test_protocol.py"),
    Mutation("names in JSON not counted", "_protocol.py",
             'if raw.count(b":") != _names(body):', "if False:", "test_protocol.py"),
    Mutation("msgspec: names not counted", "_msgspec.py",
             'or body.count(b":") != len(rows) * len(row) + len(stated) + 2:', "or False:",
             "test_quick_rows.py"),
    Mutation("msgspec: refusals are pages", "_msgspec.py",
             "page.return_code != 0 or", "", "test_quick_rows.py"),
    Mutation("msgspec: a plus and a minus", "_msgspec.py",
             'if "+-" in together or', "if", "test_quick_rows.py"),
    Mutation("msgspec: a blank behind a plus", "_msgspec.py",
             " or len(together.split()) != 1:", ":", "test_quick_rows.py"),
    Mutation("no column at once", "_columns.py",
             "quick = _at_once.get(reader)", "quick = None", "test_quick_rows.py"),
    Mutation("bulk calls do not wait a turn", "_pace.py",
             "self._bulk = anyio.Lock()", "self._bulk = anyio.Lock(fast_acquire=True)",
             "test_pace.py"),
    Mutation("a path of the host forgotten", "_httpx.py",
             "httpx.URL(self._base_url + request.path)",
             "httpx.URL(self._base_url).join(request.path)", "test_transport.py"),
    Mutation("compiled: a path of the host forgotten", "speed.py",
             'self._path = base_url.raw_path.rstrip(b"/")', 'self._path = b""', "test_speed.py"),
    Mutation("compiled: a new connection is not told of by httpx's way", "speed.py",
             "                await tell(step, {})\n", "                pass\n", "test_speed.py"),
    Mutation("called in a child although a connection is at hand", "_transport.py",
             "if (carry := self._line.at_hand()) is not None:", "if False:", "test_transport.py"),
    Mutation("msgspec: two numbers in one", "_msgspec.py",
             "if len(numbers) != len(column):", "if False:", "test_quick_rows.py"),
    Mutation("msgspec: numbers without end", "_msgspec.py",
             "Annotated[int, msgspec.Meta(ge=-_MOST, le=_MOST)]", "int", "test_quick_rows.py"),
    Mutation("msgspec: an error's page is read", "_pages.py",
             "    if response.status != 200:\n        return None\n", "", "test_quick_rows.py"),
    Mutation("msgspec never used", "_msgspec.py",
             "        import msgspec  #", "        raise ImportError  #",
             "test_quick_rows.py"),
    Mutation("half of gzip taken", "_body.py",
             "if self._gzip is not None and self._body and not self._gzip.eof:", "if False:",
             "test_transport.py"),
    Mutation("body without limit", "_body.py",
             "if len(self._body) > LARGEST_BODY_BYTES:", "if False:", "test_transport.py"),
    Mutation("secrets not cleaned", "_calls.py",
             "answer = call.decode(cleaned(response, self._secrets))",
             "answer = call.decode(response)", "test_secrets.py"),
    Mutation("attempt without deadline", "_transport.py",
             "deadline = anyio.current_time() + self._timeout_seconds",
             "deadline = anyio.current_time() + 3600", "test_transport.py"),
    Mutation("answers left over", "_httpx.py",
             "            _give_up_where_more_came(response)\n", "", "test_transport.py"),
    Mutation("looked for what is left when the pool has it back", "_httpx.py",
             "_give_up_where_more_came(response)\n            await response.aclose()\n",
             "await response.aclose()\n            _give_up_where_more_came(response)\n",
             "test_transport.py"),
    Mutation("what is left behind a refused answer", "_httpx.py",
             "        finally:\n            # Before the pool has the connection back; where the "
             "body is refused, too.\n            _give_up_where_more_came(response)\n",
             "            _give_up_where_more_came(response)\n        finally:\n",
             "test_transport.py"),
    Mutation("a cancellation at the deadline lost", "_transport.py",
             "                group.start_soon(attempt,",
             "                group.cancel_scope.deadline = deadline\n"
             "                group.start_soon(attempt,", "test_transport.py"),
    Mutation("what anyio's TLS has read ahead", "_httpx.py",
             'getattr(stream, "_read_bio", None)', "None", "test_transport.py"),
    Mutation("what trio's TLS has read ahead", "_httpx.py",
             'getattr(stream, "_incoming", None)', "None", "test_transport.py"),
    Mutation("what anyio has taken from the socket", "_httpx.py",
             'getattr(protocol, "read_queue", None)', "False", "test_transport.py"),
    Mutation("compiled: the end over TLS is not seen", "_compiled.py",
             "ended = self._transport.is_closing()", "ended = self.lost.is_set()",
             "test_speed.py"),
    Mutation("a request whose content cannot be read", "_httpx.py",
             "        outgoing.read()  #", "        #", "test_transport.py"),
    Mutation("compiled: hosts share connections", "_compiled.py",
             "            self._idle[origin].append(connection)\n",
             "            [kept.append(connection) for kept in self._idle.values()]\n",
             "test_speed.py"),
    Mutation("one header of a name", "_protocol.py",
             'f"{found[name]}, {value}" if name in found else value', "value",
             "test_speed.py"),
    Mutation("compiled: what waits in the socket is not seen", "_compiled.py",
             " and not self._poll.select(0)", "", "test_speed.py"),
    Mutation("no limit of connections", "_transport.py",
             "        async with self._places:\n", "        if True:\n", "test_transport.py"),
    Mutation("sent without a child task", "_transport.py",
             "group.start_soon(attempt, partial(", "await attempt(partial(",
             "test_transport.py"),
    Mutation("walk's deadline ignored", "_calls.py",
             "with self._lifetime.lived(until):", "with self._lifetime.lived():",
             "test_nothing_lost.py"),
    Mutation("told only where the log is", "_events.py",
             "return self._listener is not None or", "return", "test_events.py"),
    Mutation("told of nothing in the log", "_events.py",
             "self._listener is not None or _logger.isEnabledFor(logging.DEBUG)",
             "self._listener is not None", "test_events.py"),
    Mutation("rows that cannot be read, in silence", "_events.py",
             "if self.heard or page.undecoded:", "if self.heard:", "test_nothing_lost.py"),
    Mutation("closed clients go on", "_lifetime.py",
             "if self._scope.cancelled_caught and self._lifetime.over:", "if False:",
             "test_lifetime.py"),
    Mutation("cursor of the error one too far", "client.py",
             "error.query, error.cursor, error.page = query, cursor, cursor.page - 1",
             "error.query, error.cursor, error.page = query, start_of(query, None), 0",
             "test_client.py"),
    Mutation("merge forgets where to go on", "_merging.py",
             "start.get(query)", "None", "test_merge.py"),
    Mutation("merge swallows a failure", "_merging.py",
             "            yield Failure(query, error)\n", "            return\n", "test_merge.py"),
    Mutation("merge takes its end for completion", "_merge.py",
             "            if not self.complete:\n", "            if False:\n", "test_merge.py"),
    Mutation("closing ends nothing", "_lifetime.py",
             "            scope.cancel()\n", "            pass\n", "test_lifetime.py"),
    Mutation("any loop will do", "_lifetime.py",
             "if self._loop != here:", "if False:", "test_lifetime.py"),
    Mutation("gone after a failed walk", "_watch.py",
             "            self._items.append(Failure(walk.query, error))\n",
             "            self._items.append(Failure(walk.query, error))\n"
             "            self._items += walk.complete()\n", "test_watch.py"),
    Mutation("unchanged rows told", "_watch.py", "if row != earlier:", "if True:", "test_watch.py"),
    Mutation("watch forgets", "_watch.py",
             "            self._rows[identity] = row\n", "", "test_watch.py"),
    Mutation("estimate ignores an adopted limit", "_accounts.py",
             "return self._requests_per_second if pace is None else pace.per_second",
             "return self._requests_per_second", "test_estimate.py"),
    Mutation("failed walk told as complete", "_walks.py",
             "self._whole = page.next is None", "self._whole = True", "test_events.py"),
    Mutation("archive: yesterday's half goes on today", "archive/_fetch.py",
             "                self._is_provisional(query)\n            ):",
             "                False\n            ):", "test_archive.py"),
    Mutation("archive: today is final", "archive/_fetch.py",
             "return there and (entry.final or (",
             "return there and (entry.state is State.COMPLETE or (",
             "test_archive.py"),
    Mutation("archive: others' claims mean nothing", "archive/_claims.py",
             "                return not locked(file.fileno())\n", "                return False\n",
             "test_archive.py"),
    Mutation("archive: the dead live for ever", "archive/_claims.py",
             "                return not locked(file.fileno())\n", "                return True\n",
             "test_archive.py"),
    Mutation("archive: a dead key fails the walk", "archive/_fetch.py",
             "    return refused or isinstance(error, ContinuationError | DecodeError)",
             "    return False and refused", "test_archive.py"),
    Mutation("archive: no data throws data away", "archive/_fetch.py",
             "            found = kept_in_spite(known, found)\n", "            pass\n",
             "test_archive.py"),
    Mutation("archive: pages that came are not kept on cancelling", "archive/_fetch.py",
             "    def _let_go(self) -> None:\n        self._keep()\n",
             "    def _let_go(self) -> None:\n", "test_archive.py"),
    Mutation("archive: sources mix", "archive/__init__.py",
             "            manifest.take_from(_source(kiwoom))\n", "", "test_archive.py"),
    Mutation("archive: checksums not looked at", "archive/_verify.py",
             "if (found.bytes, found.checksum) != (entry.bytes, entry.checksum):",
             "if found.bytes != entry.bytes:", "test_archive.py"),
    Mutation("archive: gaps not seen", "archive/_verify.py",
             "    yield from _gaps(entries)\n", "", "test_archive.py"),
    Mutation("archive: files written in place", "archive/_files.py",
             "        path = self._temporary / owner\n",
             "        path = self.path(query)\n"
             "        path.parent.mkdir(parents=True, exist_ok=True)\n", "test_archive.py"),
    Mutation("tables: a missing price makes floats", "tables.py",
             "or (field.type == pa.int64() and field.nullable)", "", "test_tables.py"),
    Mutation("tables: shares are floats", "tables.py",
             'return pa.decimal128(_DECIMAL_DIGITS, field.metadata["decimals"])',
             "return pa.float64()", "test_tables.py"),
    Mutation("rows --output: every page begins a stream", "cli/_conversion.py",
             "pieces = [table.schema] if first else []", "pieces = [table.schema]",
             "test_cli_files.py"),
    Mutation("report: blue is bought", "report/_ranking.py",
             '_Side("Net bought", "순매수", BOUGHT, 1)', '_Side("Net bought", "순매수", SOLD, 1)',
             "test_report.py"),
    Mutation("report: invented numbers look real", "cli/_archived.py",
             "simulated=archive.simulated", "simulated=False", "test_cli_report.py"),
    Mutation("sharing: anybody may take a free slot", "sharing/_queue.py",
             "if ahead == 0 and bucket.free_ms", "if bucket.free_ms", "test_sharing_pace.py"),
    Mutation("sharing: the dead are waited for", "sharing/_queue.py",
             "or ticket.due_ms + _GRACE_MS >= now_ms", "or True", "test_sharing_pace.py"),
    Mutation("sharing: all bulk calls in one queue", "sharing/_queue.py",
             "line = bucket.bulk if asked.bulk else bucket.queue", "line = bucket.queue",
             "test_sharing_pace.py"),
    Mutation("sharing: the limit of a 429 is one's own", "sharing/_queue.py",
             "        bucket.limit = limit\n", "", "test_sharing_pace.py"),
    Mutation("sharing: unknown bucket is free at once", "sharing/_queue.py",
             "free_ms=now_ms + unknown_ms)", "free_ms=now_ms)", "test_sharing_pace.py"),
    Mutation("sharing: a clock that begins again stops all", "sharing/_queue.py",
             "if bucket.at_ms > now_ms:", "if False:", "test_sharing_pace.py"),
    Mutation("sharing: the script forgets a pause", "sharing/_queue.lua",
             "bucket.free_ms = math.max(bucket.free_ms, now + asked.pause_ms)",
             "bucket.free_ms = math.max(bucket.free_ms, now)", "test_sharing_pace.py"),
    Mutation("sharing: the script lets bulk first", "sharing/_queue.lua",
             "local line = asked.bulk and bucket.bulk or bucket.queue",
             "local line = bucket.queue", "test_sharing_pace.py"),
    Mutation("sharing: a late answer is a slot", "sharing/_shared_pace.py",
             "return current_time() <= due_at + _STALE_SECONDS", "return True",
             "test_sharing_pace.py"),
    Mutation("sharing: the local share while all is well", "sharing/_shared_pace.py",
             "self._most = per_second - when_away.reserved", "self._most = per_second",
             "test_sharing_pace.py"),
    Mutation("sharing: the lease is not kept", "sharing/_desk.py",
             "kept.lease_until_ms > now_ms:", "False:", "test_sharing_places.py"),
    Mutation("sharing: who comes late overwrites", "sharing/_desk.py",
             "if kept.issue == lease.instead_of:", "if True:", "test_sharing_places.py"),
    Mutation("sharing: renewed by everybody", "sharing/_desk.py",
             "if kept.issue != refused and kept.lives(now_ms):", "if not refused and kept.issue:",
             "test_sharing_places.py"),
    Mutation("sharing: readable by all", "sharing/_locked.py",
             "with open(os.open(fresh, flags, 0o600)", "with open(os.open(fresh, flags, 0o644)",
             "test_sharing_places.py"),
    Mutation("sharing: no lock", "sharing/_locked.py",
             "            self._wait_for_lock(descriptor)\n", "",
             "test_sharing_places.py test_sharing_processes.py"),
    Mutation("sharing: another version's file is overwritten", "sharing/_place.py",
             "if found != FORMAT or not isinstance(facts, dict):", "if False:",
             "test_sharing_places.py"),
    Mutation("sharing: token in the clear", "sharing/_seal.py",
             "_SEALED + fernet.encrypt(text.encode()).decode()", "_SEALED + text",
             "test_sharing_places.py"),
    Mutation("accounts: a walk changes its key", "_accounts.py",
             "        if cursor.account:\n", "        if False:\n", "test_accounts.py"),
    Mutation("accounts: always the first key", "_accounts.py",
             "min(self._turns, key=lambda one: one.under_way)", "self._all[0]",
             "test_accounts.py"),
    Mutation("accounts: one pace for all keys", "_accounts.py",
             "        self.name = hashlib.sha256(known).hexdigest()[:_FINGERPRINT_LENGTH]\n",
             "        self.name = 'one'\n", "test_accounts.py"),
    Mutation("accounts: an account is busy for ever", "client.py",
             "account.under_way -= 1", "pass", "test_accounts.py"),
    Mutation("accounts: those of two hosts are one", "_accounts.py",
             'f"{base_url.lower()}\\n{keys.app_key}"', 'f"{keys.app_key}"', "test_accounts.py"),
    Mutation("accounts: only the first key is cleaned out", "client.py",
             "for keys in all_keys for key in (", "for keys in all_keys[:1] for key in (",
             "test_accounts.py"),
    Mutation("sharing: anybody ends a lease", "sharing/_desk.py",
             "if kept.lease_by == program:", "if True:", "test_sharing_places.py"),
    Mutation("sharing: a dying token is given", "sharing/_desk.py",
             "self.expires - RENEW_BEFORE.total_seconds()", "self.expires",
             "test_sharing_places.py"),
    Mutation("sharing: who looks writes", "sharing/_desk.py",
             "(None if after == before else after)", "after", "test_sharing_places.py"),
    Mutation("sharing: a cancelled caller waits", "sharing/_place.py",
             "abandon_on_cancel=True", "abandon_on_cancel=False", "test_sharing_places.py"),
    Mutation("sharing: threads of everybody", "sharing/_place.py",
             ", limiter=self._threads)", ")", "test_sharing_places.py"),
    Mutation("sharing: a forked child is its parent", "sharing/_place.py",
             "-{os.getpid()}\"\n\n\ndef program_name", "\"\n\n\ndef program_name",
             "test_sharing_places.py"),
    Mutation("sharing: no own issue is known", "sharing/_shared_tokens.py",
             "        self._known = token.issue\n", "", "test_sharing_places.py"),
    Mutation("sharing: own share does not hear of connections", "sharing/_shared_pace.py",
             "            await self._own.connected()\n", "            pass\n",
             "test_sharing_pace.py"),
    Mutation("sharing: a limit is named but once", "sharing/_queue.py",
             "or limit <= bucket.limit", "or limit < bucket.limit", "test_sharing_pace.py"),
]  # fmt: skip


def outcome(mutation: Mutation, tests: list[str], timeout_seconds: float) -> str:
    """The test that went red, "" when none did."""
    with TemporaryDirectory() as directory:
        copy = Path(directory)
        for name in ("kiwoom_async", "tests"):
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md", "README.ko.md"):
            shutil.copy(ROOT / name, copy / name)
        mutation.plant(copy)
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
        try:
            run = subprocess.run(  # noqa: S603
                command, cwd=copy, env=os.environ | {"PYTHONPATH": str(copy)},
                timeout=timeout_seconds, capture_output=True, text=True, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return "(it hangs)"
    red = [line for line in run.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return red[0].split(" - ")[0] if red else "(it cannot start)" if run.returncode else ""


def judged(mutation: Mutation) -> tuple[Mutation, str, float]:
    """Against the tests beside it, then against all."""
    began = time.monotonic()
    red = outcome(mutation, [f"tests/{name}" for name in mutation.tests.split()], TIMEOUT_SECONDS)
    whole = ["tests", "--ignore", "tests/test_readme.py"]
    red = red or outcome(mutation, whole, WHOLE_TIMEOUT_SECONDS)
    return mutation, red, time.monotonic() - began


def main() -> None:
    """Plant, run, say."""
    words = sys.argv[1:]
    chosen = [one for one in MUTATIONS if not words or any(word in one.name for word in words)]
    survivors = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for mutation, red, seconds in pool.map(judged, chosen):
            survivors += not red
            print(f"{mutation.name}: {red or 'SURVIVED'} ({seconds:.0f} s)", flush=True)
    print(f"{len(chosen)} planted, {len(chosen) - survivors} red, {survivors} survived")
    sys.exit(bool(survivors))


if __name__ == "__main__":
    main()
