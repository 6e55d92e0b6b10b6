"""Create AWS clients with botocore.

No function uses what boto3 adds, and importing boto3 would slow down every cold start.
"""

import threading
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from botocore.config import Config

if TYPE_CHECKING:
    from botocore.session import Session

_CREATION_LOCK: Final = threading.Lock()
"""botocore's session is not thread-safe while it creates a client."""


def client(service: str, config: Config) -> Any:
    """Create the client that `boto3.client` would create.

    All clients share one session, which loads common data once.
    """
    return _session().create_client(service, config=config)


def lazy_client(service: str, config: Config) -> Any:
    """Create a client that most invocations do not need, on its first use."""
    return LazyClient(service, config)


class LazyClient:
    """A client that is created on its first use. Threads can share it."""

    def __init__(self, service: str, config: Config) -> None:
        self._service = service
        self._config = config
        self._created: Any = None

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._client, operation)

    @property
    def _client(self) -> Any:
        with _CREATION_LOCK:
            if self._created is None:
                self._created = client(self._service, self._config)
        return self._created


@cache
def _session() -> "Session":
    # Imported here: it is half of the cold start of a function that creates no client.
    from botocore.session import get_session

    return get_session()
