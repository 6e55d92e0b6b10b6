"""Baseline handlers: other ways to record the same batches in the same kind of table.

Each keeps the identity, the status, its time, and the output (inline if it fits), with the two
calls that this needs: a GET and a conditional update.
"""
