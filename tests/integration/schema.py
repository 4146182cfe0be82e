# SPDX-License-Identifier: Apache-2.0
"""The part of JSON Schema that docs/payload.schema.json uses; other keywords are errors."""
import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / 'docs' / 'payload.schema.json').read_text())
TYPES = {'object': dict, 'array': list, 'string': str, 'boolean': bool, 'null': type(None)}


def has_type(value, name):
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if name == 'integer':
        return number and value == int(value)
    return number if name == 'number' else isinstance(value, TYPES[name])


def errors(value, schema, at='$'):
    """Sentences that say where a value breaks the schema."""
    for keyword, wanted in schema.items():
        if keyword == '$ref':
            yield from errors(value, SCHEMA['$defs'][wanted.removeprefix('#/$defs/')], at)
        elif keyword == 'type':
            names = wanted if isinstance(wanted, list) else [wanted]
            if not any(has_type(value, name) for name in names):
                yield f'{at}: {value!r} is not {" or ".join(names)}'
        elif keyword == 'const' and value != wanted:
            yield f'{at}: {value!r} is not {wanted!r}'
        elif keyword == 'enum' and value not in wanted:
            yield f'{at}: {value!r} is none of {wanted}'
        elif keyword == 'pattern' and isinstance(value, str) and not re.search(wanted, value):
            yield f'{at}: {value!r} does not match {wanted}'
        elif keyword == 'minLength' and isinstance(value, str) and len(value) < wanted:
            yield f'{at}: {value!r} is too short'
        elif keyword == 'minimum' and has_type(value, 'number') and value < wanted:
            yield f'{at}: {value} is less than {wanted}'
        elif keyword == 'maximum' and has_type(value, 'number') and value > wanted:
            yield f'{at}: {value} is more than {wanted}'
        elif keyword == 'minItems' and isinstance(value, list) and len(value) < wanted:
            yield f'{at}: fewer than {wanted} items'
        elif keyword == 'maxItems' and isinstance(value, list) and len(value) > wanted:
            yield f'{at}: more than {wanted} items'
        elif keyword == 'required' and isinstance(value, dict):
            yield from (f'{at}: {name} is missing' for name in wanted if name not in value)
        elif keyword == 'items' and isinstance(value, list):
            for i, item in enumerate(value):
                yield from errors(item, wanted, f'{at}[{i}]')
        elif keyword == 'properties' and isinstance(value, dict):
            yield from (f'{at}: {name} is not described' for name in value if name not in wanted)
            for name in value.keys() & wanted.keys():
                yield from errors(value[name], wanted[name], f'{at}.{name}')
        elif keyword not in ('const', 'enum', 'pattern', 'minLength', 'minimum', 'maximum',
                             'minItems', 'maxItems', 'required', 'items', 'properties',
                             'description'):
            raise ValueError(f'{keyword} is not known here')


def kind(value):
    """Which of the messages an object is."""
    return ('access' if 'decision' in value else 'passage' if 'id' in value else
            'picture' if 'plates' in value else 'state')


def check(value, name=None):
    """All errors of a message of that kind, as a list."""
    return list(errors(value, SCHEMA['$defs'][name or kind(value)]))
