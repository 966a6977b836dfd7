"""`python -m kiwoom_async`, for where scripts are not on the path."""

from .cli import main

main()
