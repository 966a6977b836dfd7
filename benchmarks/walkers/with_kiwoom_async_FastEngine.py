"""kiwoom_async with FastEngine, page by page."""

from measured import measure
from with_kiwoom_async import open_pages

from kiwoom_async.speed import FastEngine

if __name__ == "__main__":
    measure(lambda url: open_pages(url, engine=FastEngine()))
