"""Generate the tables of docs/performance.md from the saved summary: `make figures`."""
