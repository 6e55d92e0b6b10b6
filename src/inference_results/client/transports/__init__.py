"""How steps are carried out: over the HTTP API or on the table, blocking or asynchronous."""
