"""Client operations as generators of steps: no I/O, shared by both clients."""
