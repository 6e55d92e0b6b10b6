"""Generate the tables and plots of docs/performance.md from the saved results: `make figures`."""
