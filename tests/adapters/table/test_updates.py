from inference_results.adapters.table.updates import Update, replace_attributes


def test_clauses_are_in_one_expression():
    update = Update(
        set={"status": "Failed"},
        set_if_missing={"first": 1},
        append={"gaps": ["1..3"]},
        remove=("output", "failure"),
        add={"status#Failed é": 1, "task_tokens": {"token"}},
    )
    assert update.expression == (
        "SET #status = :status, #first = if_not_exists(#first, :first), "
        "#gaps = list_append(if_not_exists(#gaps, :empty_list), :gaps) "
        "REMOVE #output, #failure ADD #0 :0, #1 :1"
    )
    assert update.names == {
        "#status": "status",
        "#first": "first",
        "#gaps": "gaps",
        "#output": "output",
        "#failure": "failure",
        "#0": "status#Failed é",
        "#1": "task_tokens",
    }
    assert update.values == {
        ":status": "Failed",
        ":first": 1,
        ":gaps": ["1..3"],
        ":empty_list": [],
        ":0": 1,
        ":1": {"token"},
    }


def test_an_update_can_have_one_clause():
    assert Update(set={"a": 1}).expression == "SET #a = :a"
    assert Update(remove=("a",)).expression == "REMOVE #a"
    assert Update(add={"a": 1}).expression == "ADD #0 :0"


def test_owned_attributes_without_a_value_are_removed():
    update = replace_attributes({"a": 1, "b": None, "other": ""}, ("a", "b", "c"))
    assert update == Update(set={"a": 1, "other": ""}, remove=("b", "c"))
