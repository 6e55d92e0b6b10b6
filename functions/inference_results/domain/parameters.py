"""The parameters of questions: each with its limits, stated once to check and to describe it."""

import re
from dataclasses import dataclass
from typing import Any, Final

from inference_results.domain.errors import InvalidParameter

_NUMBER: Final = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")


@dataclass(frozen=True, slots=True)
class TextParameter:
    """`max_length` in characters; at least one is needed."""

    name: str
    max_length: int
    description: str
    ascii_only: bool = False

    def check(self, value: Any) -> str:
        """The value. Raises InvalidParameter."""
        if not isinstance(value, str) or not 1 <= len(value) <= self.max_length:
            raise InvalidParameter(self.name, self._expected)
        if self.ascii_only and not (value.isascii() and value.isprintable()):
            raise InvalidParameter(self.name, self._expected)
        return value

    def parse(self, text: str) -> str:
        return self.check(text)

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema."""
        limits = {"type": "string", "minLength": 1, "maxLength": self.max_length}
        return limits | {"pattern": "^[ -~]+$"} if self.ascii_only else limits

    @property
    def _expected(self) -> str:
        kind = "printable ASCII " if self.ascii_only else ""
        return f"1 to {self.max_length} {kind}characters"


@dataclass(frozen=True, slots=True)
class NumberParameter:
    """Limits are included; `whole` refuses fractions."""

    name: str
    minimum: int
    maximum: int
    default: int
    description: str
    whole: bool = False

    def check(self, value: Any) -> float:
        """The value. Raises InvalidParameter."""
        kinds = int if self.whole else (int, float)
        # A bool is an int to Python; NaN fails the comparison.
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise InvalidParameter(self.name, self._expected)
        if not self.minimum <= value <= self.maximum:
            raise InvalidParameter(self.name, self._expected)
        return value

    def parse(self, text: str) -> float:
        """The value of its text. Raises InvalidParameter."""
        # Python's own reading takes more: 1_0, spaces, the digits of other scripts.
        if not _NUMBER.fullmatch(text):
            raise InvalidParameter(self.name, self._expected)
        return self.check(int(text) if self.whole and text.isdigit() else float(text))

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema."""
        kind = "integer" if self.whole else "number"
        limits = {"minimum": self.minimum, "maximum": self.maximum}
        return {"type": kind, **limits, "default": self.default}

    @property
    def _expected(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        return f"{kind} from {self.minimum} to {self.maximum}"


MAX_BATCH: Final = 100

_ID: Final = "The id of the inference, exactly as SageMaker gave it."
INFERENCE_ID: Final = TextParameter("inference_id", 64, _ID, ascii_only=True)
ID: Final = TextParameter("id", 64, _ID, ascii_only=True)
ENDPOINT_NAME: Final = TextParameter("endpoint_name", 256, "The name of the endpoint.")
ENDPOINT: Final = TextParameter("endpoint", 256, "The name of the endpoint.")
STATUS: Final = TextParameter("status", 64, "InProgress, Completed, Failed, Expired or Lost.")
SINCE: Final = TextParameter(
    "since", 64, "Not before this time: ISO 8601 with an offset, like 2026-01-25T12:00:00Z."
)
UNTIL: Final = TextParameter("until", 64, "Before this time: ISO 8601 with an offset.")
SINCE_DAY: Final = TextParameter(
    "since", 10, "First day, YYYY-MM-DD, of UTC; at most 31 days in all. By default the last 7."
)
UNTIL_DAY: Final = TextParameter("until", 10, "Last day, included.")
LIMIT: Final = NumberParameter("limit", 1, 200, 50, "The most records on a page.", whole=True)
CURSOR: Final = TextParameter(
    "cursor", 1024, "`next_cursor` of the page before, of the same question, at most a day old."
)
WAIT: Final = NumberParameter(
    "wait", 0, 20, 0, "Seconds to wait for the end; the answer comes at once when that is reached."
)
