"""The tables and plots of docs/performance.md, from what the benchmarks wrote: `make figures`."""
