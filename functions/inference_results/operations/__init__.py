"""What engineers do to a deployment and to the endpoints beside it; asked by the commands."""
