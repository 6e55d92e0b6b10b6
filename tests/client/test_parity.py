"""Client and AsyncClient differ in `async` and `await`, and where this file says so."""

import ast
import inspect
from collections.abc import Mapping

import pytest

from inference_results.client import AsyncClient, Client
from tests.client.unasync import Unasync, unasync_text

ONLY_IN_CLIENT = {
    "from_predictor_response": "the response of the SageMaker SDK blocks",
}
"""The methods that AsyncClient does not have, and why."""

DIFFERENT_CODE = {
    # The table's backend blocks, so it runs in threads, and waits in the event loop between polls.
    "backoff = Backoff(max_wait=_MAX_TABLE_DELAY_SECONDS)\n": "",
    "Driver(ThreadedBackend(backend), storage, backoff=backoff)": "Driver(backend, storage)",
}
"""Code of AsyncClient, and the code of Client in its place."""

DIFFERENT_TEXT = {
    "An asyncio client for": "A client for",
    "It has the constructors, methods and errors of Client. Use `await` for methods that return a "
    "value, and `async for` for `list` and `as_completed`. `progress` is called in the event loop. "
    "`from_predictor_response` is missing because the SageMaker SDK blocks: use a Client in a "
    "thread.": "It can be shared between threads.",
    "is called in a thread before the first request": "is called before the first request",
}
"""Parts of the docstring of AsyncClient, and the text of Client in their place."""


def methods(cls: type) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return the methods that a class defines, by the name that they have in Client."""
    (definition,) = ast.parse(inspect.getsource(cls)).body
    assert isinstance(definition, ast.ClassDef)
    assert not definition.bases
    docstring, *members = definition.body
    assert isinstance(docstring, ast.Expr)
    assert all(isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) for each in members)
    return {unasync_text(each.name): each for each in members}


CLIENT, ASYNC_CLIENT = methods(Client), methods(AsyncClient)
IN_BOTH = [name for name in CLIENT if name not in ONLY_IN_CLIENT]


def signature(method: ast.FunctionDef) -> str:
    """Return the decorators, the parameters with their defaults, and the annotations."""
    return "\n".join(ast.unparse(each) for each in [*method.decorator_list, _without_body(method)])


def _without_body(method: ast.FunctionDef) -> ast.FunctionDef:
    return ast.FunctionDef(**vars(method) | {"body": [ast.Pass()], "decorator_list": []})


def body(method: ast.FunctionDef) -> str:
    """Return the statements after the docstring."""
    statements = method.body[1:] if ast.get_docstring(method) else method.body
    return "\n".join(ast.unparse(each) for each in statements)


def replaced(text: str, parts: Mapping[str, str]) -> str:
    for part, replacement in parts.items():
        text = text.replace(part, replacement)
    return text


def in_one_line(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture
def client(name):
    return CLIENT[name]


@pytest.fixture
def unasynced(name):
    """Return the method of AsyncClient without `async` and `await`."""
    source = ast.unparse(ASYNC_CLIENT[name])
    (method,) = Unasync().visit(ast.parse(source)).body
    return method


def test_both_clients_have_the_same_methods_in_the_same_order():
    assert [*ASYNC_CLIENT] == IN_BOTH
    assert CLIENT.keys() >= ONLY_IN_CLIENT.keys()


@pytest.mark.parametrize("name", IN_BOTH)
def test_a_method_has_the_same_parameters_and_annotations(client, unasynced):
    assert signature(unasynced) == signature(client)


@pytest.mark.parametrize("name", IN_BOTH)
def test_a_method_has_the_same_docstring(client, unasynced):
    asynchronous = unasync_text(ast.get_docstring(unasynced) or "")
    assert in_one_line(asynchronous) == in_one_line(ast.get_docstring(client) or "")


@pytest.mark.parametrize("name", IN_BOTH)
def test_a_method_has_the_same_code(client, unasynced):
    assert replaced(body(unasynced), DIFFERENT_CODE) == body(client)


def test_the_classes_have_the_same_docstring():
    asynchronous = replaced(in_one_line(inspect.getdoc(AsyncClient)), DIFFERENT_TEXT)
    assert unasync_text(asynchronous) == in_one_line(inspect.getdoc(Client))


def test_every_listed_difference_exists():
    code = "\n".join(body(each) for each in ASYNC_CLIENT.values())
    assert [each for each in DIFFERENT_CODE if each not in code] == []
    docstring = in_one_line(inspect.getdoc(AsyncClient))
    assert [each for each in DIFFERENT_TEXT if each not in docstring] == []


@pytest.mark.parametrize(
    ("asynchronous", "blocking"),
    [
        ("async def one(): return await two()", "def one(): return two()"),
        ("async def one():\n async with a: await b", "def one():\n with a: b"),
        ("async def one():\n async for a in b: pass", "def one():\n for a in b: pass"),
        ("async def one(): return [a async for a in b]", "def one(): return [a for a in b]"),
        ("def one() -> AsyncGenerator[A, None]: ...", "def one() -> Generator[A, None, None]: ..."),
        ("async def __aenter__(): httpx.AsyncClient()", "def __enter__(): httpx.Client()"),
        ("def one(a: list[AsyncClient]): ...", "def one(a: list[Client]): ..."),
    ],
)
def test_unasync(asynchronous, blocking):
    transformed = Unasync().visit(ast.parse(asynchronous))
    assert ast.unparse(transformed) == ast.unparse(ast.parse(blocking))
