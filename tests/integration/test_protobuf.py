#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The messages as Protocol Buffers say what those in JSON say."""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

try:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
except ImportError as error:
    raise unittest.SkipTest(str(error))

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.integration import schema                                         # noqa: E402
from tests.integration.daemon import Case, PATIENCE_S, wait_for              # noqa: E402

KINDS = ('Passage', 'Access', 'State')


def messages():
    """{name: descriptor} of docs/payload.proto."""
    with tempfile.TemporaryDirectory() as folder:
        told = pathlib.Path(folder, 'set')
        subprocess.run(['protoc-c', f'--descriptor_set_out={told}',
                        f'--proto_path={schema.ROOT / "docs"}', 'payload.proto'], check=True)
        files = descriptor_pb2.FileDescriptorSet.FromString(told.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return {kind: pool.FindMessageTypeByName(f'plated.{kind}') for kind in KINDS}


def resolve(part):
    while '$ref' in part:
        part = schema.SCHEMA['$defs'][part['$ref'].removeprefix('#/$defs/')]
    return part


def names(part):
    """JSON types that a part of the schema allows, but for null."""
    if 'const' in part or 'enum' in part:
        values = part.get('enum', [part.get('const')])
        return {'string' if isinstance(v, str) else 'integer' for v in values}
    kinds = part['type'] if isinstance(part['type'], list) else [part['type']]
    return set(kinds) - {'null'}


class Schema(unittest.TestCase):
    """docs/payload.proto and docs/payload.schema.json have the same members of the same types."""

    def same(self, descriptor, part, at):
        self.assertEqual({f.name for f in descriptor.fields}, set(part['properties']), at)
        for field in descriptor.fields:
            self.same_member(field, resolve(part['properties'][field.name]), f'{at}.{field.name}')

    def same_member(self, field, part, at):
        repeated = field.label == field.LABEL_REPEATED
        self.assertEqual(repeated, names(part) == {'array'}, at)
        if repeated:
            part = resolve(part['items'])
        types = {field.TYPE_STRING: 'string', field.TYPE_DOUBLE: 'number', field.TYPE_BOOL: 'boolean',
                 field.TYPE_INT32: 'integer', field.TYPE_INT64: 'integer',
                 field.TYPE_MESSAGE: 'object'}
        self.assertEqual(names(part), {types[field.type]}, at)
        if field.type == field.TYPE_MESSAGE:
            self.same(field.message_type, part, at)

    @unittest.skipUnless(shutil.which('protoc-c'), 'protoc-c is not installed')
    def test_same_members(self):
        for kind, descriptor in messages().items():
            self.same(descriptor, schema.SCHEMA['$defs'][kind.lower()], kind)


@unittest.skipUnless(shutil.which('protoc-c'), 'protoc-c is not installed')
class Sent(Case):
    def said(self, message, value, at):
        """A decoded message beside the object that json.loads() made."""
        for field in message.DESCRIPTOR.fields:
            told, member = getattr(message, field.name), value[field.name]
            where = f'{at}.{field.name}'
            if member is None:
                self.assertFalse(message.HasField(field.name) if field.has_presence else told, where)
            elif field.label == field.LABEL_REPEATED and field.message_type:
                self.assertEqual(len(told), len(member), where)
                for one, other in zip(told, member):
                    self.said(one, other, where)
            elif field.label == field.LABEL_REPEATED:
                self.assertEqual(list(told), member, where)
            elif field.message_type:
                self.assertTrue(message.HasField(field.name), where)
                self.said(told, member, where)
            else:
                self.assertEqual(told, member, where)

    def test_both_say_the_same(self):
        mosquitto = self.mosquitto()
        subscriber = self.subscriber(mosquitto.port)
        access = self.folder / 'access.csv'
        access.write_text(f'{self.plates[0]},Ännchen Smith\n')
        daemon = self.daemon(mosquitto.port, access={'lists': access}, mqtt={'protobuf': 'yes'},
                             camera={'source': self.vehicles, 'exit_at_end': 'yes'})
        self.assertEqual(daemon.process.wait(PATIENCE_S), 0, daemon.said()[-2000:])
        wait_for(lambda: subscriber.texts('plated/gate/availability')[-1:] == ['offline'], 'the end')
        for kind, descriptor in messages().items():
            made = message_factory.MessageFactory().GetPrototype(descriptor)
            topic = f'plated/gate/{kind.lower()}'
            texts = [json.loads(p) for _, t, p in subscriber.messages() if t == topic]
            packed = [made.FromString(p) for _, t, p in subscriber.messages() if t == f'{topic}.pb']
            self.assertGreaterEqual(len(texts), 2)
            self.assertEqual(len(packed), len(texts))
            for message, value in zip(packed, texts):
                self.said(message, value, kind)


if __name__ == '__main__':
    unittest.main()
