"""Clients of AWS's services, made by botocore.

What boto3 adds to them no function uses, and every start of one would load it.
"""

import threading
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from botocore.config import Config

if TYPE_CHECKING:
    from botocore.session import Session

_MAKING: Final = threading.Lock()


def client(service: str, config: Config) -> Any:
    """As boto3's of that name. All share a session, which reads what they have in common once."""
    return _session().create_client(service, config=config)


def lazy_client(service: str, config: Config) -> Any:
    """Made by its first call: for what most invocations do without."""
    return LazyClient(service, config)


class LazyClient:
    """A client that is made when it is first asked."""

    def __init__(self, service: str, config: Config) -> None:
        self._service = service
        self._config = config
        self._made: Any = None

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._client, operation)

    @property
    def _client(self) -> Any:
        with _MAKING:  # a session makes no two clients at a time
            if self._made is None:
                self._made = client(self._service, self._config)
        return self._made


@cache
def _session() -> "Session":
    # Half of a start, for a function that makes no client.
    from botocore.session import get_session

    return get_session()
