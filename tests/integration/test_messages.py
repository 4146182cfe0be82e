#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""docs/mqtt.md and docs/payload.schema.json agree with each other."""
import json
import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.integration import schema                                         # noqa: E402

PAGE = (schema.ROOT / 'docs' / 'mqtt.md').read_text()
EXAMPLES = [json.loads(e) for e in re.findall(r'^```json\n(.*?)^```', PAGE, re.DOTALL | re.M)]


def members(section):
    """The names in the first column of a section's table of members."""
    text = PAGE.split(f'\n## {section}\n')[1].split('\n## ')[0]
    rows = text.split('| member | meaning |')[1].split('\n\n')[0]
    return {name for cell in re.findall(r'^\| (`.*?`) \|', rows, re.M)
            for name in re.findall(r'`(\w+)`', cell)}


class Messages(unittest.TestCase):
    def test_examples(self):
        self.assertEqual({schema.kind(e) for e in EXAMPLES}, {'passage', 'access', 'state', 'picture'})
        for example in EXAMPLES:
            self.assertEqual(schema.check(example), [])

    def test_every_member_is_described(self):
        for section, name in (('Passages', 'passage'), ('Access', 'access'), ('State', 'state')):
            self.assertEqual(members(section), set(schema.SCHEMA['$defs'][name]['properties']))

    def test_wrong_messages_are_noticed(self):
        good = next(e for e in EXAMPLES if schema.kind(e) == 'passage')
        for change in ({'version': 2}, {'confidence': 1.2}, {'plate': 'ab'}, {'box': [1, 2, 3]},
                       {'reads': 1.5}, {'region': {}}, {'surprise': 1}, {'corrected': 0},
                       {'first_seen': '2026-03-01 12:00:00'}, {'type': 'maybe'}):
            self.assertNotEqual(schema.check(good | change, 'passage'), [], change)
        for name in good:
            self.assertNotEqual(schema.check({k: v for k, v in good.items() if k != name},
                                             'passage'), [], name)


if __name__ == '__main__':
    unittest.main()
