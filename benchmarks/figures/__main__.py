"""`python -m benchmarks.figures` updates the tables of docs/performance.md."""

from benchmarks import summary
from benchmarks.figures.page import PAGE, fill
from benchmarks.figures.sections import sections

if __name__ == "__main__":
    PAGE.write_text(fill(PAGE.read_text(), sections(summary.read())))
