"""What follows from a changed record: an EventBridge event, completed tasks."""
