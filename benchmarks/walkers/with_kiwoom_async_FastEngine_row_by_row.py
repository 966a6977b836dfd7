"""kiwoom_async with FastEngine, row by row."""

from measured import measure
from with_kiwoom_async import open_rows

from kiwoom_async.speed import FastEngine

if __name__ == "__main__":
    measure(lambda url: open_rows(url, engine=FastEngine()))
