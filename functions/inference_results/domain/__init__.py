"""What a notification means and what is recorded of it. No AWS library is imported here."""
