"""Generate the OpenAPI document, the event schema and the attribute table of docs/record.md."""
