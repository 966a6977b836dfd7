"""The body of a request of the family, checked field by field."""

import re
from typing import Any, Final

from attrs import field, frozen

from kiwoom_async.sandbox._replies import RefusalError, refusal

# The same in every TR that has the field. Codes of markets and stocks are looked up instead.
_FORMS: Final = {
    "date": re.compile("[0-9]{8}"),
    "amt_qty_tp": re.compile("[12]"),
    "min_tic_tp": re.compile("[01]"),
    "stex_tp": re.compile("[123]"),
    "trde_upper_tp": re.compile("[12]"),
}


@frozen
class Parameters:
    """The body of a request of one TR."""

    api_id: str
    body: dict[str, Any] = field(repr=False)

    def __getitem__(self, name: str) -> str:
        """Return a field, "" if it is absent or no text."""
        value = self.body.get(name)
        return value if isinstance(value, str) else ""

    def check(self, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> None:
        """Raise RefusalError 1511 for a missing field, 1517 for a malformed one."""
        for name in required:
            if self.body.get(name) in (None, ""):
                raise self.refused("1511", name)
        given = [name for name in optional if self.body.get(name) not in (None, "")]
        for name in (*required, *given):
            form = _FORMS.get(name)
            if form and not form.fullmatch(self[name]):
                raise self.refused("1517", name, reason="form")

    def refused(self, code: str, parameter: str, reason: str = "") -> RefusalError:
        """Return the error that refuses this request."""
        return RefusalError(refusal(code, api_id=self.api_id, parameter=parameter, reason=reason))
