"""croissant.json of a release: files and columns in Croissant 1.1, for programs that load it."""

import json
from collections.abc import Mapping
from typing import Any

from symmv_builder.datasets.card.features import croissant_type
from symmv_builder.datasets.card.licences import URLS
from symmv_builder.datasets.card.readme import citation
from symmv_builder.datasets.card.view import View

# The context that the specification prescribes.
_CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def croissant(receipt: Mapping[str, Any]) -> str:
    """Write croissant.json: one record set a split, which reads that split's shards."""
    view = View(receipt)
    about = view.about
    authors = [{"@type": "sc:Person", "name": name} for name in about.get("authors", [])]
    metadata = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": view.title,
        "description": view.description,
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "version": view.version,
        "license": URLS.get(view.licence.licence, "LICENSE.md"),
        "citeAs": citation(view),
        "keywords": view.tags,
        **({"creator": authors} if authors else {}),
        **({"datePublished": about["date"]} if "date" in about else {}),
        **({"url": about["homepage"]} if "homepage" in about else {}),
        "distribution": [*_files(view), *_sets(view)],
        "recordSet": [_records(view, split) for split in view.splits],
    }
    return json.dumps(metadata, indent=1, ensure_ascii=False) + "\n"


def _files(view: View) -> list[dict[str, Any]]:
    """List every shard with its checksum."""
    return [
        {
            "@type": "cr:FileObject",
            "@id": shard["path"],
            "name": shard["path"],
            "contentUrl": shard["path"],
            "contentSize": f"{shard['size_bytes']} B",
            "encodingFormat": "application/x-parquet",
            "sha256": shard["sha256"],
        }
        for shard in view.receipt["shards"]
    ]


def _sets(view: View) -> list[dict[str, Any]]:
    """List the shards of each split, as one set of files."""
    return [
        {
            "@type": "cr:FileSet",
            "@id": f"files-{split}",
            "name": f"files-{split}",
            "description": f"Parquet files of the split {split}.",
            "encodingFormat": "application/x-parquet",
            "includes": f"shards/{split}-*.parquet",
        }
        for split in view.splits
    ]


def _records(view: View, split: str) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": split,
        "name": split,
        "description": f"The rows of the split {split}, one an entry.",
        "key": {"@id": f"{split}/{'clip_id' if view.is_clips else 'entry_id'}"},
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{split}/{column['name']}",
                "name": column["name"],
                "description": _column_description(view, column),
                **croissant_type(view.schema.field(column["name"]).type),
                "source": {
                    "fileSet": {"@id": f"files-{split}"},
                    "extract": {"column": column["name"]},
                },
            }
            for column in view.columns
        ],
    }


def _column_description(view: View, column: Mapping[str, str]) -> str:
    """Describe a column in one line: meaning, unit and makers."""
    unit = f" [{column['unit']}]" if column["unit"] else ""
    models = view.models_of(column["name"])
    makers = f"; by {', '.join(models)}" if models else ""
    return f"{column['meaning'] or column['name']}{unit}{makers}"
