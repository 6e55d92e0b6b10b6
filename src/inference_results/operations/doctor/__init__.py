"""Read-only checks of a deployment. Each finding says what to do."""
