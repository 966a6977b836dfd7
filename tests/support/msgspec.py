from kiwoom_async._protocol import msgspec_pages


def forget_msgspec() -> None:
    """Whether it is installed is looked up anew."""
    for known in (msgspec_pages._library, msgspec_pages.page_reader, msgspec_pages.integers):
        known.cache_clear()
