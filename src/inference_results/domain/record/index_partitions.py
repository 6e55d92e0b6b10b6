"""Partition keys of the indexes, before their shard."""


def endpoint_and_status(endpoint_name: str, status: str) -> str:
    """The index key of an endpoint's records with a status. Endpoint names contain no `#`."""
    return f"{endpoint_name}#{status}"
