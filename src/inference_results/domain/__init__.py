"""The rules of this service, one package per subject. Nothing here imports an AWS library.

`record` defines the inference record; every other subject builds on it:

- `results`: a notification becomes a recorded result.
- `submissions`: submit an inference, or register one.
- `queries`: get, list and wait for records, and locate outputs.
- `changes`: a changed record becomes an event and completes Step Functions tasks.
- `summaries`: counts and latencies by endpoint and day.
- `reconciliation`: overdue records, unread outputs and backfill.
"""
