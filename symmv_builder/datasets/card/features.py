"""The columns of a release in the words of the hub and of Croissant."""

from typing import Any

import pyarrow as pa

from symmv_builder.datasets.card.view import scalar_name

_CROISSANT = {"string": "sc:Text", "binary": "sc:Text", "bool": "sc:Boolean"}


def hub_features(schema: pa.Schema) -> list[dict[str, Any]]:
    """List the columns as the front matter of a card does (``dataset_info.features``)."""
    return [{"name": field.name, **_hub(field.type)} for field in schema]


def _hub(kind: pa.DataType) -> dict[str, Any]:
    if not pa.types.is_list(kind):
        return {"dtype": scalar_name(kind)}
    inner = kind.value_type
    if pa.types.is_fixed_size_list(inner):
        return {"list": {"list": scalar_name(inner.value_type), "length": inner.list_size}}
    return {"list": scalar_name(inner)}


def croissant_type(kind: pa.DataType) -> dict[str, Any]:
    """Data type and shape of a column as a field of Croissant 1.1; -1 is any length."""
    if not pa.types.is_list(kind):
        return {"dataType": _scalar(kind)}
    inner, shape = kind.value_type, "-1"
    if pa.types.is_fixed_size_list(inner):
        shape, inner = f"-1,{inner.list_size}", inner.value_type
    return {"dataType": _scalar(inner), "isArray": True, "arrayShape": shape}


def _scalar(kind: pa.DataType) -> str:
    name = scalar_name(kind)
    # int8 is cr:Int8, uint16 cr:UInt16, float32 cr:Float32.
    number = name.replace("uint", "UInt").replace("int", "Int").replace("float", "Float")
    return _CROISSANT.get(name) or f"cr:{number}"
