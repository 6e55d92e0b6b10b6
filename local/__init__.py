"""The whole system on one machine: an embedded AWS with IAM enforced, and a pretend endpoint."""
