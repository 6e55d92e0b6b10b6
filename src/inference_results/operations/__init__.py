"""What engineers do with a deployment and the endpoints beside it."""
