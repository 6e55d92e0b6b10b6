"""What a number of results a second takes of AWS's limits: a model, and its check by a real run."""
