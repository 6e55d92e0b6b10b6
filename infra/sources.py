"""The source files that the functions need, found by following their imports."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).resolve().parent.parent
FUNCTIONS: Final = _ROOT / "functions"
_PACKAGES: Final = {"functions": FUNCTIONS, "inference_results": _ROOT / "src/inference_results"}
_DATA: Final = ("http_api/openapi.json",)


def function_sources() -> Mapping[str, Path]:
    """Each file that the functions import, by its path in the bundle.

    A change of any other module leaves the bundle, and so the asset hash, as it is.
    """
    sources: dict[str, Path] = {}
    pending = [f"functions.{each.stem}" for each in sorted(FUNCTIONS.glob("*.py"))]
    while pending:
        module = pending.pop()
        found = _file_of(module)
        if found is None or found[0] in sources:
            continue
        path, file = found
        sources[path] = file
        pending += [module.rpartition(".")[0], *_imports(file)]
    return sources | {f"functions/{name}": FUNCTIONS / name for name in _DATA}


def _file_of(module: str) -> tuple[str, Path] | None:
    """A module's path in the bundle and its file; None for other packages and for attributes."""
    package, _, rest = module.partition(".")
    if package not in _PACKAGES:
        return None
    base = _PACKAGES[package].joinpath(*rest.split(".")) if rest else _PACKAGES[package]
    for file in (base.with_suffix(".py"), base / "__init__.py"):
        if file.is_file():
            return f"{package}/{file.relative_to(_PACKAGES[package]).as_posix()}", file
    return None


def _imports(file: Path) -> Iterator[str]:
    for node in _runtime_nodes(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            # A name that is imported can be a module itself.
            yield from (f"{node.module}.{each.name}" for each in node.names)


def _runtime_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Every node except those that only type checkers see."""
    yield node
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    for child in ast.iter_child_nodes(node):
        yield from _runtime_nodes(child)
