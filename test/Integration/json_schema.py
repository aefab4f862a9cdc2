"""Checks a value against a JSON Schema, for the words that docs/report.schema.json uses."""

from __future__ import annotations

from typing import Any

TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}
WORDS = {"$schema", "$defs", "$ref", "title", "description", "type", "properties", "required", "items", "enum", "const"} | {
    "minimum", "minLength", "anyOf", "additionalProperties"
}  # fmt: skip


def is_of(value: Any, name: str) -> bool:
    is_bool = isinstance(value, bool)
    return isinstance(value, TYPES[name]) and (not is_bool or name == "boolean")


def mistakes(value: Any, schema: dict[str, Any], root: dict[str, Any], where: str = "report") -> list[str]:
    """What does not hold, a line each; empty if the value is as the schema says."""
    unknown = set(schema) - WORDS
    if unknown:
        return [f"the schema uses {sorted(unknown)}, which this checker does not know"]
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    if "anyOf" in schema:
        tries = [mistakes(value, choice, root, where) for choice in schema["anyOf"]]
        return [] if any(not found for found in tries) else [f"{where} is none of its choices: {tries}"]
    if "const" in schema and value != schema["const"]:
        return [f"{where} is {value!r} instead of {schema['const']!r}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{where} is {value!r}, not one of {schema['enum']}"]
    names = schema.get("type", [])
    names = [names] if isinstance(names, str) else names
    if names and not any(is_of(value, name) for name in names):
        return [f"{where} is {value!r}, not of type {' or '.join(names)}"]
    if "minimum" in schema and value < schema["minimum"]:
        return [f"{where} is {value}, less than {schema['minimum']}"]
    if "minLength" in schema and len(value) < schema["minLength"]:
        return [f"{where} is too short: {value!r}"]
    found = []
    if isinstance(value, dict):
        known = schema.get("properties", {})
        found += [f"{where} lacks '{key}'" for key in schema.get("required", []) if key not in value]
        for key, part in value.items():
            rule = known.get(key, schema.get("additionalProperties"))
            if isinstance(rule, dict):
                found += mistakes(part, rule, root, f"{where}.{key}")
    if isinstance(value, list) and "items" in schema:
        for i, part in enumerate(value):
            found += mistakes(part, schema["items"], root, f"{where}[{i}]")
    return found
