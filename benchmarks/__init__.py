"""How fast and how cheap this is, against other ways to do the same, measured side by side."""
