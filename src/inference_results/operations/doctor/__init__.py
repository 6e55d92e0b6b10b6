"""Check a deployment. The checks are read-only, and each finding has a remedy."""
