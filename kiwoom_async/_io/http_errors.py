"""The errors of the tree for those of httpx."""

import httpx

from kiwoom_async._protocol.messages import Request
from kiwoom_async.errors import TransportError, TransportTimeout


def transport_error(request: Request, error: httpx.HTTPError | OSError) -> TransportError:
    """Return the error of the tree for one of httpx's, which becomes its cause."""
    kind = type(error)
    api_id = request.api_id
    cause: BaseException = error
    result: TransportError
    if isinstance(error, httpx.PoolTimeout):
        result = TransportTimeout(f"{api_id}: no connection of the pool was free", local=True)
    elif isinstance(error, httpx.TimeoutException):
        result = TransportTimeout(f"{api_id}: {kind.__name__}")
    elif isinstance(error, httpx.UnsupportedProtocol):
        result = TransportError(f"{api_id}: {kind.__name__}", local=True)
    elif isinstance(error, httpx.ProtocolError):
        # Its text may quote a secret, so the original is not even the cause.
        cause = kind("its text is not shown: it may quote a secret")
        local = isinstance(error, httpx.LocalProtocolError)
        result = TransportError(f"{api_id}: {kind.__name__}", local=local)
    else:
        host = httpx.URL(request.url).netloc.decode()
        reason = f"{kind.__name__}: {error}".rstrip(": ")
        result = TransportError(f"{api_id} at {host}: {reason}")
    result.__cause__ = cause
    return result


def no_answer_in_time(request: Request, timeout_seconds: float) -> TransportTimeout:
    """Return the error of an attempt that took too long."""
    return TransportTimeout(f"{request.api_id}: no complete answer within {timeout_seconds:g} s")
