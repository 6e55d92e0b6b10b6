"""The inference record: its definition, its view, and which result wins."""
