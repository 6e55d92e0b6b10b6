"""Turn asyncio code into the blocking code that it corresponds to."""

import ast

NAMES = {
    "AsyncClient": "Client",
    "AsyncGenerator": "Generator",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
}
"""The names that differ."""


class Unasync(ast.NodeTransformer):
    """Removes `async` and `await`, and replaces the names that differ."""

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.FunctionDef:
        return self.visit_FunctionDef(ast.FunctionDef(**vars(node)))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        node.name = NAMES.get(node.name, node.name)
        return node

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.For:
        self.generic_visit(node)
        return ast.For(**vars(node))

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.With:
        self.generic_visit(node)
        return ast.With(**vars(node))

    def visit_comprehension(self, node: ast.comprehension) -> ast.comprehension:
        self.generic_visit(node)
        node.is_async = 0
        return node

    def visit_Await(self, node: ast.Await) -> ast.expr:
        value: ast.expr = self.visit(node.value)
        return value

    def visit_Subscript(self, node: ast.Subscript) -> ast.Subscript:
        """AsyncGenerator has two parameters, Generator has three."""
        match node:
            case ast.Subscript(value=ast.Name(id="AsyncGenerator"), slice=ast.Tuple(elts=elements)):
                elements.append(ast.Constant(None))
        self.generic_visit(node)
        return node

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = NAMES.get(node.id, node.id)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.Attribute:
        self.generic_visit(node)
        node.attr = NAMES.get(node.attr, node.attr)
        return node


def unasync_text(text: str) -> str:
    """Remove `async` and `await` from code in a text, and replace the names that differ."""
    for name, blocking in {"async with ": "with ", "await ": "", **NAMES}.items():
        text = text.replace(name, blocking)
    return text
