"""Locks of files that the system releases when their holder dies. Standard library only."""

import sys

if sys.platform == "win32":
    import msvcrt

    def locked(descriptor: int) -> bool:
        """Lock the open file, unless another process has; whether it is ours now."""
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def locked(descriptor: int) -> bool:
        """Lock the open file, unless another process has; whether it is ours now."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
