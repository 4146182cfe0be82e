#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The layers go one way, daemon to pipeline to engine; foreign headers stay in their place."""
import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.repository import files                                           # noqa: E402

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
LAYERS = ('engine', 'pipeline', 'daemon')
MAY = {'engine': {'engine'}, 'pipeline': {'pipeline', 'engine'},
       'daemon': {'daemon', 'pipeline', 'engine'}}
# Of a layer below, all but the layer itself see these headers only.
PUBLIC = {'engine': ('include/', 'base/'), 'pipeline': ('lpr.h',)}
# Foreign headers, and the files that may include them.
FOREIGN = {
    r'gst/|gstreamer': r'pipeline/source\.c|tests/.*',
    r'glib|gio/|gobject|json-glib': r'pipeline/source\.c|daemon/.*|tests/.*',
    r'mosquitto': r'daemon/.*|tests/.*',
    r'sqlite3': r'daemon/.*|tests/.*',
    r'systemd/': r'daemon/.*|tests/.*',
    r'protobuf-c|onnx\.pb-c': r'engine/onnx/.*|tests/.*',
    r'payload\.pb-c': r'daemon/protobuf\.c',
    r'cblas|openblas': r'engine/.*|tests/.*',
    r'arm_neon|immintrin|[a-z]mmintrin|x86intrin': r'engine/kernels/.*|engine/base/cpu\.c',
}
BASE_MAY = re.compile(r'^(assert|cpuid|ctype|endian|errno|fcntl|float|inttypes|limits|linux/\w+|'
                      r'locale|math|poll|pthread|sched|semaphore|signal|stdalign|stdarg|stdatomic|stdbool|'
                      r'stddef|stdint|stdio|stdlib|string|strings|sys/\w+|time|uchar|unistd|'
                      r'asm/\w+|immintrin|arm_neon)\.h$')


def sources():
    return [ROOT / f for f in files() if f.endswith(('.c', '.h'))]


def includes(path):
    """[(header as written, file of the repository it means, or None)]"""
    for kind, name in INCLUDE.findall(path.read_text(errors='replace')):
        near = [path.parent / name] if kind == '"' else []
        places = near + [ROOT / name] + [ROOT / layer / name for layer in LAYERS] \
            + [ROOT / 'engine' / 'include' / name]
        found = next((p.resolve() for p in places if p.is_file()), None)
        yield name, found.relative_to(ROOT).as_posix() if found else None


class Layers(unittest.TestCase):
    def setUp(self):
        self.files = {p.relative_to(ROOT).as_posix(): list(includes(p)) for p in sources()}
        self.assertGreater(len(self.files), 20, 'the sources were not found')

    def report(self, wrong):
        self.assertFalse(wrong, 'wrong includes:\n' + '\n'.join(wrong))

    def test_one_way(self):
        self.report([f'{file} includes {target}' for file, found in self.files.items()
                     for _, target in found if target and file.split('/')[0] in MAY
                     and target.split('/')[0] in LAYERS
                     and target.split('/')[0] not in MAY[file.split('/')[0]]])

    def test_public_headers_only(self):
        """A layer is used through its public headers; its tools and tests may see more."""
        wrong = []
        for file, found in self.files.items():
            layer = file.split('/')[0]
            for _, target in found:
                below, _, rest = (target or '').partition('/')
                if layer in LAYERS and below in PUBLIC and below != layer \
                        and not rest.startswith(PUBLIC[below]):
                    wrong.append(f'{file} includes {target}')
        self.report(wrong)

    def test_foreign_headers_in_their_place(self):
        self.report([f'{file} includes <{name}>' for file, found in self.files.items()
                     for name, target in found if target is None
                     for what, where in FOREIGN.items()
                     if re.match(what, name) and not re.fullmatch(where, file)])

    def test_base_needs_only_libc(self):
        wrong = []
        for file, found in self.files.items():
            if file.startswith('engine/base/'):
                wrong += [f'{file} includes {name}' for name, target in found
                          if not (target or '').startswith(('engine/base/', 'engine/include/'))
                          and not BASE_MAY.match(name)]
        self.report(wrong)

    def test_no_c_where_none_belongs(self):
        self.report([f'{file} lies in a folder without C' for file in self.files
                     if file.split('/')[0] in ('models', 'config', 'systemd')])

    def test_headers_are_guarded(self):
        lists = [f for f in self.files if f.endswith('.h')
                 and '#pragma once' not in (ROOT / f).read_text() and not f.endswith('simd.h')]
        self.report([f'{f} has no #pragma once' for f in lists])


if __name__ == '__main__':
    unittest.main()
