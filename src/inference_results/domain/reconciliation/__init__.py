"""Reconcile overdue records and unread outputs, and backfill outputs without a record."""
