"""A simulation of Kiwoom's REST API for ka90004 and its tokens, as a plain ASGI application.

It speaks the protocol and knows nothing of this package's client, so that it can prove that
client wrong. Nobody here has called the live service: what follows is either recorded by others
or made up, and the two lists say which.

Recorded fact (the numbers are sections of `wire-facts.md`):

- 5 requests a second for each (app key, api-id); 429 with code 1700 naming 유량 and API ID (1, 4)
- the firewall's HTTP 400 "Request Blocked" for the default User-Agents of aiohttp, urllib (1)
- a dead token is HTTP 200, category 3, code 8005; categories, their sentences, the shape of
  `return_msg`, the published codes and their texts (1, 3)
- issuing while a token lives returns the same token with its old `expires_dt`, in KST; issuing
  is itself limited; `secretkey`, not `appsecret` (2)
- `cont-yn` and `next-key` are headers; the last page says N with an empty key; a first request
  sends neither, or N and an empty key; a key has at most 50 characters (5)
- pages of 50 (KOSPI) and 30 (KOSDAQ), 2,472 and 1,820 rows, two thirds of them all zero, in an
  order that is no ranking (1)
- a wrong `mrkt_tp` and a day without data answer code 0 and one blank row (1)
- code suffixes by exchange, signs, units, the ratio of amount to quantity, the meaning of
  `all_trde_rt`, the order of `tot_1` .. `tot_5`, the empty `tot_6` (1, 6)
- maintenance is announced in HTML, also by `/oauth2/token` (3)

Invention:

- every number of every stock. The first names of each market, and their codes, are real; their
  prices and amounts are not. All codes beginning with 8 and their companies are made up
- each day stands alone: the close of one day is not the base of the next. Every weekday trades,
  there are no holidays; every stock is on both exchanges
- all movement: without `trades_per_second` each day, today too, is a finished one; with it every
  day goes on from there, in even steps, at any hour, but not while nobody asks for long; pages
  are cut from the market of the moment
- the rate window is sliding, without any tolerance, and counts accepted requests only (the
  strictest reading: a client that sends exactly every 0.2 s will now and then meet a 429); a
  request without a valid token is refused before it is counted
- `firewall=False` takes the firewall away, for clients that cannot choose their User-Agent
- the order of the checks; HTTP 200 for a refused token; the category of codes not seen in a
  recording; 1511 for a token request with an empty body, 8011 to 8020 for a partial one
- revoking a token that is unknown, dead or another app key's answers 8015
- 1517 for a malformed `dt` or `stex_tp`, and for a `next-key` of another query or of nobody
- `access-control-expose-headers` on pages: one known client reads the continuation through it
- the form of the key, its endless life, and that it survives a new token
- with `totals_on="first page"`, later pages carry empty totals
- codes 1505 for every TR other than the three simulated, HTTP 404 for unknown paths and methods
- the maintenance page's HTTP 200 and text, the bodies of 5xx answers, and every fault that
  spoils an otherwise good page
"""

from ._app import Arrival, Sandbox
from ._faults import Fault
from ._moving import RowChange
from ._serve import serve
from ._summary import Traffic, summary

__all__ = ["Arrival", "Fault", "RowChange", "Sandbox", "Traffic", "serve", "summary"]
