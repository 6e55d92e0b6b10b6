"""AWS clients: configuration, errors and signing."""
