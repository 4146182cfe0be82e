#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every suite of plated, and one count over all of them in the last line.

    tests/run_all.py [--list] [SUITE...]

`./run test` calls this after a build. What a suite printed lies in build/logs/.
"""
import argparse
import os
import platform
import re
import shutil
import subprocess
import sys

import suites
from suites import BUILD, PYTHON, ROOT, failed, passed, skipped

FEATURES = ['-Donnx=enabled', '-Dopenblas=enabled', '-Dpipeline=enabled', '-Ddaemon=enabled']
SANITIZED = {'unit', 'kernels', 'parsers', 'fuzz'}
# What systemd-analyze security may count at most, in tenths.
EXPOSURE = 15
THREADED = ('pool', 'mailbox', 'session')


def normal():
    """All tests that meson knows, as built for use."""
    yield from suites.meson('build', 'meson', lambda name, of: True)


def sanitizer_env():
    return {'ASAN_OPTIONS': 'abort_on_error=1:detect_leaks=1:allocator_may_return_null=1'
                            ':fast_unwind_on_malloc=0',
            'UBSAN_OPTIONS': 'halt_on_error=1:print_stacktrace=1',
            'TSAN_OPTIONS': 'halt_on_error=1',
            'LSAN_OPTIONS': f'suppressions={ROOT}/tests/lsan.supp'}


def sanitized(kind, folder, wanted, wrapper=None):
    options = ['-Dbuildtype=debug', '-Doptimization=1', f'-Db_sanitize={kind}', '-Db_lundef=false',
               '-Dc_args=-fno-sanitize-recover=all -fno-omit-frame-pointer', *FEATURES]
    why = suites.build(folder, options, folder, {'CC': 'gcc'})
    if why:
        yield failed('build', why)
        return
    yield from suites.meson(folder, f'{folder}-tests', wanted, wrapper, sanitizer_env(), 4)


def address():
    """Unit tests, kernels and parsers under the address and undefined-behaviour sanitizers."""
    yield from sanitized('address,undefined', 'build-asan', lambda name, of: of & SANITIZED)


def threads():
    """Pool, mailbox and sessions under the thread sanitizer."""
    # Kernels that randomise addresses widely leave no room for gcc 12's shadow memory.
    fixed = ['setarch', platform.machine(), '-R']
    can = subprocess.run([*fixed, 'true'], capture_output=True).returncode == 0
    yield from sanitized('thread', 'build-tsan', lambda name, of: any(t in name for t in THREADED),
                         ' '.join(fixed) if can else None)


def arm64():
    """The kernel checks as a Cortex-A72 runs them, under qemu."""
    if platform.machine() == 'aarch64':
        yield skipped('kernels', 'this is an arm64 machine: the normal build has checked them')
        return
    lacking = [p for p in ('aarch64-linux-gnu-gcc', 'qemu-aarch64') if not shutil.which(p)]
    if lacking:
        yield skipped('kernels', f'{", ".join(lacking)} could not be had')
        return
    why = suites.build('build-arm64', ['--cross-file', 'tests/aarch64.ini', '-Donnx=disabled',
                                       '-Dopenblas=disabled', '-Dpipeline=disabled',
                                       '-Ddaemon=disabled'], 'build-arm64')
    if why:
        yield failed('build', why)
        return
    yield from suites.meson('build-arm64', 'build-arm64-tests', lambda name, of: 'kernels' in of,
                            None, None, 10)


def make_fixtures():
    """None, or why the cases that PyTorch answered could not be made."""
    folder, made = BUILD / 'fixtures', BUILD / 'fixtures' / '.made'
    sources = [ROOT / 'models' / f'{n}.py' for n in ('fixtures', 'networks', 'export')]
    newest = max(s.stat().st_mtime for s in sources)
    if made.exists() and made.stat().st_mtime > newest:
        return None
    shutil.rmtree(folder, ignore_errors=True)
    status, output = suites.run([PYTHON, '-m', 'models.fixtures', folder], 'fixtures', 1200)
    if status:
        return f'models.fixtures ended with {status}\n{suites.tail(output)}'
    made.touch()
    return None


def answers(tool, model, compiled, tensors, tolerance):
    """What is wrong with a model's outputs, and with those of its compiled file; or None."""
    status, output = suites.run([tool, 'verify', model, *tensors, *tolerance], 'verify', 120)
    yield suites.tail(output, 4) if status else None
    inputs = [a for pair in zip(tensors[::2], tensors[1::2]) if pair[0] == '--input' for a in pair]
    status, output = suites.run([tool, 'compile', model, compiled, *inputs], 'compile', 120)
    if not status:
        status, output = suites.run([tool, 'verify', compiled, *tensors, *tolerance], 'verify', 120)
    compiled.unlink(missing_ok=True)
    yield suites.tail(output, 4) if status else None


def fixtures():
    """The engine's answers beside PyTorch's for every network, head and opset."""
    why = make_fixtures()
    if why:
        yield failed('fixtures', why)
        return
    folder = BUILD / 'fixtures'
    cases = [line.split() for line in (folder / 'cases.txt').read_text().splitlines()]
    for name, rtol, atol in (c for c in cases if c):
        tensors = []
        for path in sorted((folder / name).glob('*.npy')):
            kind, _, tensor = path.stem.partition('_')
            tensors += ['--input' if kind == 'input' else '--expect', f'{tensor}={path}']
        wrong = answers(BUILD / 'engine' / 'plated-nn', folder / name / 'model.onnx',
                        folder / 'compiled.nnp', tensors, ['--rtol', rtol, '--atol', atol])
        for form, why in zip((name, f'{name}.nnp'), wrong):
            yield failed(form, why) if why is not None else passed(form)


def models():
    """The Python that makes the models."""
    yield from suites.script('models', [PYTHON, 'tests/tap.py', 'tests/models'], 900)


def onnx():
    """The node tests that come with ONNX."""
    yield from suites.script('onnx', [PYTHON, 'tests/integration/onnx_nodes.py'], 900,
                             {'PLATED_NN': str(BUILD / 'engine' / 'plated-nn')})


def integration():
    """The Python tests of tests/integration/ that meson does not run itself."""
    known = ' '.join(' '.join(cmd) for _, _, cmd in suites.meson_tests('build'))
    for path in sorted((ROOT / 'tests' / 'integration').glob('test_*.py')):
        if path.name not in known:
            runner = ['tests/tap.py'] if 'import unittest' in path.read_text() else []
            yield from suites.script(path.stem, [PYTHON, *runner, path], 600)


def real():
    """The released models over real photographs."""
    yield from suites.script('photographs', [PYTHON, 'tests/real/photographs.py'], 1200)


def unit_file():
    """systemd's own opinion of the unit."""
    if not shutil.which('systemd-analyze'):
        yield skipped('plated.service', 'systemd-analyze is not there')
        return
    copy = BUILD / 'verify' / 'plated.service'
    copy.parent.mkdir(exist_ok=True)
    text = (BUILD / 'daemon' / 'plated.service').read_text()
    # The program is checked where it was built; it need not be installed.
    copy.write_text(re.sub(r'(?m)^(ExecStart=)\S+', rf'\g<1>{BUILD}/daemon/plated', text))
    status, output = suites.run(['systemd-analyze', 'verify', '--man=no', copy], 'systemd', 60)
    complaints = [line for line in output.splitlines() if 'plated' in line]
    if status or complaints:
        yield failed('plated.service', '\n'.join(complaints) or suites.tail(output))
    else:
        yield passed('plated.service')
    status, output = suites.run(['systemd-analyze', 'security', '--offline=true',
                                 f'--threshold={EXPOSURE}', copy], 'security', 60)
    exposure = [line for line in output.splitlines() if 'Overall exposure level' in line]
    if status or not exposure:
        yield failed('exposure', exposure[0] if exposure else suites.tail(output))
    else:
        yield passed('exposure')
    told = set(re.findall(r'^✗ ([A-Za-z]+)', output, re.M))
    reasons = ' '.join(line for line in text.splitlines() if line.startswith('#'))
    silent = sorted(name for name in told if not re.search(rf'\b{name}\b', reasons))
    if silent or not told:
        yield failed('relaxations', f'the unit does not say why {", ".join(silent)}' if silent
                     else 'systemd-analyze names none')
    else:
        yield passed('relaxations')


def demo():
    """The demo itself: the right plate for every vehicle of the clip."""
    yield from suites.script('demo', [PYTHON, 'tests/demo/play.py'], 300)


SUITES = {'normal': normal, 'address': address, 'threads': threads, 'arm64': arm64,
          'fixtures': fixtures, 'onnx': onnx, 'integration': integration, 'models': models,
          'systemd': unit_file, 'real': real, 'demo': demo}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--list', action='store_true', help='name the suites')
    parser.add_argument('suite', nargs='*')
    args = parser.parse_args()
    if args.list:
        for name, suite in SUITES.items():
            print(f'{name:12} {suite.__doc__.splitlines()[0]}')
        return 0
    unknown = [s for s in args.suite if s not in SUITES]
    if unknown:
        parser.error(f'there is no suite {unknown[0]}; there are {", ".join(SUITES)}')
    os.chdir(ROOT)
    tally = suites.Tally()
    for name in args.suite or SUITES:
        tally.suite(name, SUITES[name]())
    return tally.close()


if __name__ == '__main__':
    sys.exit(main())
