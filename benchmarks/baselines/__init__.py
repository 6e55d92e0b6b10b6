"""What else one would write to record results: handlers of the same batches, into the same table.

Each keeps the identity, the status, its time and the output, inline where it fits; each makes the
two calls that this needs, a GET and a conditional update.
"""
