"""Clients of AWS's services, made by botocore.

What boto3 adds to them no function uses, and every start of one would load it.
"""

from functools import cache
from typing import Any

from botocore.config import Config
from botocore.session import Session, get_session


def client(service: str, config: Config) -> Any:
    """As boto3's of that name. All share a session, which reads what they have in common once."""
    return _session().create_client(service, config=config)


@cache
def _session() -> Session:
    return get_session()
