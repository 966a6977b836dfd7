"""A simulation of Kiwoom's REST API for program trading and tokens: a plain ASGI application.

It imports nothing of this package's client, so that it can prove the client wrong. The live service
has not been called for it: everything below is either recorded by others or invented.

It serves ka90004; ka90003, ka90005 to ka90008, ka90010 and ka90013, with numbers that agree with
its ka90004; and any request whose answer is given to it (`Recorded`). All faults strike all of
them.

Recorded (in brackets the sections of `wire-facts.md`):

- 5 requests a second for each (app key, api-id); 429 with code 1700 naming 유량 and API ID (1, 4)
- the firewall's HTTP 400 "Request Blocked" for the default User-Agents of aiohttp and urllib (1)
- a dead token is refused with HTTP 200, category 3, code 8005; the categories and their texts, the
  form of `return_msg`, the published codes and their texts (1, 3)
- issuing while a token is valid returns the same token with its old `expires_dt`, in KST; issuing
  is itself limited; the parameter is `secretkey`, not `appsecret` (2)
- `cont-yn` and `next-key` are headers; the last page has N and an empty key; a first request has
  neither, or N and an empty key; a key has at most 50 characters (5)
- pages of 50 rows (KOSPI) and 30 rows (KOSDAQ); 2,472 and 1,820 rows, two thirds of them all zero,
  not ordered by any value (1)
- a wrong `mrkt_tp` and a day without data are answered with code 0 and one blank row (1)
- code suffixes by exchange, signs, units, the ratio of amount to quantity, the meaning of
  `all_trde_rt`, the order of `tot_1` .. `tot_5`, the empty `tot_6` (1, 6)
- maintenance is announced in HTML, also by `/oauth2/token` (3)
- of the family: paths, list keys, fields and their order, page sizes (not that of ka90007), newest
  rows first, the spelling of every number, units; that ka90003 goes on past rank 50, ka90005 and
  ka90008 ignore `date`, ka90007 sums up from `date`, and ka90006 is KOSPI's; the codes of markets
  by exchange, and P001_AL02, which answers with KOSPI; the wrong index and basis of KOSDAQ in
  ka90010
- of the family: sums that are off by one, as parts are rounded one by one

Invented:

- every price and amount. The first names and codes of each market are real; the codes that begin
  with 8, and their companies, are not
- days are independent: the close of one day is not the previous close of the next. Every weekday
  is a trading day, holidays too; every stock is traded at both exchanges
- all movement. Without `trades_per_second` every day is finished, today too; with it, trading goes
  on from there, evenly, at any hour, but is not made up for after a long time without requests.
  Each page shows the market at the time of its request
- the rate window slides, without tolerance, and counts accepted requests only. This is the
  strictest reading: a client that sends exactly every 0.2 s meets a 429 now and then. A request
  without a valid token is refused before it is counted
- `firewall=False`, for clients that cannot choose their User-Agent
- the order of the checks; HTTP 200 for a refused token request; the category of codes that were not
  recorded; 1511 for a token request with an empty body, 8011 to 8020 for an incomplete one
- 8015 for revoking a token that is unknown, dead or issued to another app key
- 1517 for a malformed `dt` or `stex_tp`, and for a `next-key` of another query or never issued
- `access-control-expose-headers` on pages: one known client finds the continuation headers by it
- the form of a key, that it never expires, and that it survives a new token
- empty totals on later pages with `totals_on="first page"`
- of the family: what ka90004 does not say (arbitrage, shares below a thousand, volumes, indices,
  what came when within the day); `history_days`; ka90003 ends with the last stock that has a net
  on its side; 1901 for an unknown market, 1902 for an unknown stock, 1903 for an unknown suffix;
  an empty list for a stock that programs did not trade (ka90008), and before the first day;
  ka90007 answers with amounts in quantity mode, too
- of the family in a moving market: the latest day moves when it is asked for, its older rows do
  not. At midnight a walk without `date` moves by a row
- of recorded answers: the form of a key, and that none is valid for another body
- 1505 for every other TR, HTTP 404 for unknown paths and methods
- the HTTP 200 and the text of the maintenance page, the bodies of 5xx answers, and every fault that
  modifies an otherwise good page
"""

from ._app import Arrival, Sandbox
from ._faults import Fault
from ._live_market import RowChange
from ._recorded import Recorded
from ._serve import serve
from ._summary import Traffic, summary

__all__ = ["Arrival", "Fault", "Recorded", "RowChange", "Sandbox", "Traffic", "serve", "summary"]
