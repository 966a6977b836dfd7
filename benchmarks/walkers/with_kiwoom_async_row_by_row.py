"""kiwoom_async, row by row."""

from measured import measure
from with_kiwoom_async import open_rows

if __name__ == "__main__":
    measure(open_rows)
