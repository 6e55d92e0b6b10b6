"""Read, redrive and delete dead letters."""
