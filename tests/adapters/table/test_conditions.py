import pytest

from inference_results.adapters.table.conditions import (
    Condition,
    at_least,
    at_most,
    contains,
    differs,
    equals,
    exists,
    less_than,
    not_exists,
    one_of,
    size_less_than,
    starts_with,
)

A, B, C = Condition("a"), Condition("b"), Condition("c")


@pytest.mark.parametrize(
    ("condition", "expression"),
    [
        (exists("a"), "attribute_exists(#a)"),
        (not_exists("a"), "attribute_not_exists(#a)"),
        (equals("a", one=1), "#a = :one"),
        (differs("a", one=1), "#a <> :one"),
        (less_than("a", one=1), "#a < :one"),
        (at_most("a", one=1), "#a <= :one"),
        (at_least("a", one=1), "#a >= :one"),
        (starts_with("a", one="1"), "begins_with(#a, :one)"),
        (contains("a", one="1"), "contains(#a, :one)"),
        (size_less_than("a", one=1), "size(#a) < :one"),
        (one_of("a", one=1, two=2), "#a IN (:one, :two)"),
    ],
)
def test_a_condition_names_its_attribute_and_values(condition, expression):
    assert condition.expression == expression
    assert condition.names == {"#a": "a"}


def test_a_dot_separates_a_map_and_its_member():
    condition = equals("submission.order", seen="1")
    assert condition == Condition(
        "#submission.#order = :seen",
        {"#submission": "submission", "#order": "order"},
        {":seen": "1"},
    )


@pytest.mark.parametrize(
    ("condition", "expression"),
    [
        (A & B | C, "((a AND b) OR c)"),
        (A & (B | C), "(a AND (b OR c))"),
        (A | B & C, "(a OR (b AND c))"),
        ((A | B) & C, "((a OR b) AND c)"),
        (~A & B, "((NOT a) AND b)"),
        (~(A & B), "(NOT (a AND b))"),
        (~~A, "(NOT (NOT a))"),
    ],
)
def test_parentheses_keep_the_order_of_the_operators(condition, expression):
    assert condition.expression == expression


def test_a_combination_has_the_names_and_values_of_both():
    condition = equals("a", one=1) & ~equals("b", two=2)
    assert condition.names == {"#a": "a", "#b": "b"}
    assert condition.values == {":one": 1, ":two": 2}


def test_a_value_can_occur_several_times():
    condition = equals("a", one=1) | equals("b", one=1)
    assert condition.expression == "(#a = :one OR #b = :one)"
    assert condition.values == {":one": 1}


def test_combining_changes_neither_condition():
    left, right = equals("a", one=1), equals("b", two=2)
    assert left & right == left & right
    assert left == equals("a", one=1)
    assert right == equals("b", two=2)


@pytest.mark.parametrize("combine", [Condition.__and__, Condition.__or__])
def test_a_placeholder_with_two_values_is_an_error(combine):
    with pytest.raises(ValueError, match="^:one stands for two things in one request$"):
        combine(equals("a", one="secret"), equals("b", one="other"))


def test_a_placeholder_with_two_names_is_an_error():
    with pytest.raises(ValueError, match="^#a stands for two things"):
        exists("a") & Condition("attribute_exists(#a)", {"#a": "b"})


def test_the_text_of_a_condition_shows_no_values():
    assert "secret" not in repr(equals("a", one="secret"))
