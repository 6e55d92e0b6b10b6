"""AWS clients: configuration, errors, signing."""
