"""Submit an inference once, or register an invocation."""
