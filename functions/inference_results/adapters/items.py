"""Items of DynamoDB as Python's own values, and back."""

import base64
from decimal import Decimal
from typing import Any, Final

from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer

_serialize: Final = TypeSerializer().serialize
_deserialize: Final = TypeDeserializer().deserialize


def serialized(values: dict[str, Any]) -> dict[str, Any]:
    """As DynamoDB's client takes it; what is None is left out."""
    return {str(name): _serialize(_storable(v)) for name, v in values.items() if v is not None}


def plain(item: dict[str, Any]) -> dict[str, Any]:
    """As Python has it: whole numbers as int, others as float, binary as bytes."""
    return {name: _native(_deserialize(value)) for name, value in item.items()}


def streamed(image: dict[str, Any]) -> dict[str, Any]:
    """An image of the stream as Lambda hands it over: in JSON, where binary is base64."""
    return plain({name: _with_bytes(value) for name, value in image.items()})


def _with_bytes(value: dict[str, Any]) -> dict[str, Any]:
    match value:
        case {"B": text}:
            return {"B": base64.b64decode(text)}
        case {"BS": texts}:
            return {"BS": [base64.b64decode(text) for text in texts]}
        case {"M": members}:
            return {"M": {name: _with_bytes(each) for name, each in members.items()}}
        case {"L": members}:
            return {"L": [_with_bytes(each) for each in members]}
    return value


def _storable(value: Any) -> Any:
    match value:
        case dict():
            return {name: each for name, each in value.items() if each is not None}
        case tuple():
            return list(value)
    return value


def _native(value: Any) -> Any:
    match value:
        case dict():
            return {name: _native(each) for name, each in value.items()}
        case list():
            return [_native(each) for each in value]
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case Binary():
            return bytes(value)  # type: ignore[call-overload] # missing in the stubs
    return value
