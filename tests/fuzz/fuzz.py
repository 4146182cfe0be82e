#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Builds the fuzz targets with clang, runs them, keeps what they learnt and writes the page.

    tests/fuzz/fuzz.py [--minutes N] [--jobs N] [--page] [TARGET…]

Each target runs for its share of the time on every job, under the address and
undefined-behaviour sanitizers. Inputs that reached something new lie in
build-fuzz/corpus/, inputs that broke something in build-fuzz/findings/. Afterwards
tests/fuzz/corpus/ holds the fewest inputs that reach as much, tests/fuzz/log.jsonl one line
more for each target, and docs/fuzzing.md what the log, findings.json and the coverage build say.
--page writes the page alone. The exit status is 1 when something broke.
"""
import argparse
import collections
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / 'tests' / 'fuzz'
CORPUS = HERE / 'corpus'
LOG = HERE / 'log.jsonl'
PAGE = ROOT / 'docs' / 'fuzzing.md'
WORK = ROOT / 'build-fuzz'
COVERAGE = ROOT / 'build-fuzz-coverage'
TESTDATA = pathlib.Path(os.environ.get('ONNX_TESTDATA', '/usr/share/libonnx-testdata/data'))
SEED_BYTES = 6 << 10                    # larger ones say nothing that smaller ones do not
CORPUS_BYTES = 1 << 20                  # of one target in the repository
CORPUS_FILES = 800
SLOW_S = 5                              # of processor time that no input may need
# The largest thing that a file may ask for in engine/base/limits.h, with the sanitizers' own. The
# fuzzer's clock is the wall's, which says little on a busy machine: what it calls slow is run again.
LIMITS = ['-timeout=300', f'-report_slow_units={SLOW_S}', '-rss_limit_mb=4096',
          '-malloc_limit_mb=2049', '-max_len=16384']
FEATURES = ['-Donnx=enabled', '-Dopenblas=disabled', '-Dpipeline=enabled', '-Ddaemon=enabled',
            '-Dlibfuzzer=true', '-Db_lundef=false', '-Dbuildtype=debug', '-Doptimization=1']
SANITIZE = ['-Db_sanitize=address,undefined', '-Dc_link_args=-rtlib=compiler-rt',
            '-Dc_args=-fno-sanitize-recover=all -fno-omit-frame-pointer']
MEASURE = ['-Dc_link_args=-rtlib=compiler-rt -fprofile-instr-generate',
           '-Dc_args=-fprofile-instr-generate -fcoverage-mapping']
ENV = {'ASAN_OPTIONS': 'allocator_may_return_null=1:detect_leaks=1:abort_on_error=1',
       'UBSAN_OPTIONS': 'print_stacktrace=1:halt_on_error=1'}
# What each target reads, and whose lines count as its own.
TARGETS = {
    'onnx_wire': ('the ONNX importer alone', ['engine/onnx/']),
    'onnx': ('ONNX from import to run', ['engine/onnx/', 'engine/graph/', 'engine/exec/',
                                         'engine/ops/', 'engine/passes/']),
    'alloc': ('ONNX with one allocation failing, or all from one on', []),
    'nnef_text': ('the NNEF importer alone', ['engine/nnef/']),
    'nnef_quant': ('graph.quant of NNEF', []),
    'nnef_tensor': ('tensor files of NNEF', ['engine/nnef/tensor.c']),
    'nnef': ('NNEF from a directory to run', ['engine/nnef/']),
    'nnp': ('compiled models from file to run', ['engine/nnp/']),
    'config': ('the configuration file', ['daemon/config']),
    'list': ('access lists, and decisions by them', ['daemon/list']),
    'command': ('commands over MQTT', ['daemon/command']),
    'store': ('the store of passages, and messages for it', ['daemon/store', 'daemon/database']),
}
# The test run lets every allocation fail for the other corpora, so that this target has none.
NO_CORPUS = {'alloc'}


def run(argv, **kwargs):
    return subprocess.run([str(a) for a in argv], cwd=ROOT, **kwargs)


def build(folder, options):
    """Builds the targets, or ends the program with the compiler's words."""
    env = {**os.environ, 'CC': 'clang'}
    if not (folder / 'build.ninja').exists():
        setup = run(['meson', 'setup', folder, *FEATURES, *options], env=env, capture_output=True,
                    text=True)
        if setup.returncode:
            sys.exit(f'meson setup: {setup.stdout[-2000:]}{setup.stderr}')
    made = run(['ninja', '-C', folder, *(f'tests/fuzz/fuzz_{t}' for t in TARGETS)],
               capture_output=True, text=True)
    if made.returncode:
        sys.exit(made.stdout[-4000:])


def program(folder, target):
    return folder / 'tests' / 'fuzz' / f'fuzz_{target}'


def right_files(kind):
    """(name, contents) of files that are right: what fuzzing begins with beside the corpus."""
    if kind == 'onnx':
        for path in sorted(TESTDATA.glob('**/model.onnx')):
            yield path.parent.name, path.read_bytes()
    elif kind == 'alloc':
        for path in sorted((CORPUS / 'onnx').iterdir()):
            yield path.name, os.urandom(2) + path.read_bytes()


def seeds(target):
    """The folder of the right files."""
    folder = WORK / 'seeds' / target.split('_')[0]
    if not folder.exists():
        folder.mkdir(parents=True)
        for name, contents in right_files(folder.name):
            if len(contents) <= SEED_BYTES:
                (folder / name).write_bytes(contents)
    return folder


def dictionary(target):
    """libFuzzer's option for a dictionary of what the reader knows."""
    if not target.startswith('nnef'):
        return []
    path = WORK / 'nnef.dict'
    told = run([sys.executable, HERE / 'words.py', '--dict',
                *sorted((ROOT / 'engine' / 'nnef').glob('*.c'))], capture_output=True, check=True)
    path.write_bytes(told.stdout)
    return [f'-dict={path}']


def working_corpus(target):
    folder = WORK / 'corpus' / target
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def start(target, seconds, job):
    """A fuzzer in the background, and its log."""
    log = WORK / 'logs' / f'{target}-{job}.log'
    log.parent.mkdir(exist_ok=True)
    (WORK / 'findings').mkdir(exist_ok=True)
    argv = [program(WORK, target), *LIMITS, '-reload=1', '-print_final_stats=1',
            f'-max_total_time={seconds}', f'-artifact_prefix={WORK}/findings/{target}-',
            *dictionary(target),
            working_corpus(target), CORPUS / target, seeds(target)]
    (CORPUS / target).mkdir(parents=True, exist_ok=True)
    with open(log, 'wb') as out:
        return subprocess.Popen([str(a) for a in argv], cwd=ROOT, stdout=out, stderr=out,
                                stdin=subprocess.DEVNULL, env={**os.environ, **ENV}), log


def finish(process, log):
    """What one fuzzer did: processor seconds, executions, edges, and whether it broke."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    text = log.read_text(errors='replace')
    count = re.findall(r'number_of_executed_units:\s+(\d+)', text) or \
        re.findall(r'^#(\d+)\s', text, re.MULTILINE)
    edges = [int(e) for e in re.findall(r' cov: (\d+) ', text)]
    return {'cpu_s': usage.ru_utime + usage.ru_stime, 'executions': int((count or [0])[-1]),
            'edges': max(edges, default=0), 'broke': status != 0, 'log': str(log)}


def drop_quick(target):
    """Of the inputs that were slow by the wall's clock keeps those that need SLOW_S of processor
    time. How many are left."""
    left = 0
    for path in sorted((WORK / 'findings').glob(f'{target}-slow-unit-*')):
        again = subprocess.Popen([program(WORK, target), *LIMITS, path], cwd=ROOT,
                                 env={**os.environ, **ENV}, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, again.returncode, usage = os.wait4(again.pid, 0)
        if again.returncode == 0 and usage.ru_utime + usage.ru_stime < SLOW_S:
            path.unlink()
        else:
            left += 1
    return left


def commit():
    done = run(['git', 'rev-parse', '--short', 'HEAD'], capture_output=True, text=True)
    return done.stdout.strip()


def fuzz(target, seconds, jobs):
    """Runs a target and appends to the log. False when something broke."""
    running = [start(target, seconds, job) for job in range(jobs)]
    done = [finish(*one) for one in running]
    slow = drop_quick(target)
    keep(target)
    entry = {'when': time.strftime('%Y-%m-%d', time.gmtime()), 'commit': commit(),
             'target': target, 'cpu_s': round(sum(d['cpu_s'] for d in done), 1),
             'executions': sum(d['executions'] for d in done),
             'edges': max(d['edges'] for d in done),
             'broke': sum(d['broke'] for d in done) + slow}
    with open(LOG, 'a') as log:
        log.write(json.dumps(entry) + '\n')
    print(f'{target}: {entry["executions"]} executions, {entry["cpu_s"] / 60:.1f} minutes of '
          f'processor time, {entry["edges"]} edges', flush=True)
    for one in (d for d in done if d['broke']):
        print(f'{target}: broke, see {one["log"]} and build-fuzz/findings/', flush=True)
    if slow:
        print(f'{target}: {slow} slow inputs, see build-fuzz/findings/', flush=True)
    return not entry['broke']


def new_inputs(target):
    """A folder of what was found since the last time: merging is slow."""
    folder, stamp = WORK / 'new' / target, WORK / f'{target}.stamp'
    since = stamp.stat().st_mtime if stamp.exists() else 0
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    stamp.touch()
    for path in working_corpus(target).iterdir():
        if path.stat().st_mtime >= since:
            shutil.copy(path, folder)
    return folder


def keep(target):
    """Makes the repository's corpus of a target anew: the fewest inputs that reach every edge,
    and all that once broke something (found-*). Files of others are no part of it."""
    if target in NO_CORPUS:
        return
    foreign = {hashlib.sha1(p.read_bytes()).digest() for p in seeds(target).iterdir()}
    fresh = WORK / 'merged' / target
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    stored = CORPUS / target
    stored.mkdir(parents=True, exist_ok=True)
    run([program(WORK, target), *LIMITS, '-set_cover_merge=1', '-use_counters=0', fresh, stored,
         new_inputs(target)], env={**os.environ, **ENV}, capture_output=True)
    merged = sorted((p for p in fresh.iterdir()
                     if hashlib.sha1(p.read_bytes()).digest() not in foreign),
                    key=lambda p: p.stat().st_mtime_ns)  # the most telling were taken first
    if not merged:
        return
    for path in stored.iterdir():
        if re.fullmatch(r'[0-9a-f]{40}', path.name):
            path.unlink()
    total = 0
    for path in merged[:CORPUS_FILES]:
        total += path.stat().st_size
        if total > CORPUS_BYTES:
            break
        # Made executable or not, a corpus is data.
        shutil.copyfile(path, stored / hashlib.sha1(path.read_bytes()).hexdigest())


def line_coverage(target):
    """{folder: (lines reached, lines)} of the stored corpus."""
    raw, data = COVERAGE / f'{target}.profraw', COVERAGE / f'{target}.profdata'
    run([program(COVERAGE, target), '-runs=0', CORPUS / target], capture_output=True,
        env={**os.environ, 'LLVM_PROFILE_FILE': str(raw)})
    run(['llvm-profdata', 'merge', '-o', data, raw], check=True)
    told = run(['llvm-cov', 'export', '-summary-only', f'-instr-profile={data}',
                program(COVERAGE, target)], check=True, capture_output=True, text=True).stdout
    sums = collections.defaultdict(lambda: [0, 0])
    for file in json.loads(told)['data'][0]['files']:
        name = os.path.relpath(os.path.join(COVERAGE, file['filename']), ROOT)
        for folder in TARGETS[target][1]:
            if name.startswith(folder):
                sums[folder][0] += file['summary']['lines']['covered']
                sums[folder][1] += file['summary']['lines']['count']
    return sums


def fixed_by(subject):
    """The subject of a commit, which outlives its hash where branches are rebased."""
    done = run(['git', 'log', '-1', '--format=%s', '--fixed-strings', f'--grep={subject}'],
               capture_output=True, text=True)
    if done.stdout.strip() != subject:
        sys.exit(f'findings.json names a commit that is not there: {subject}')
    return subject


def stored_files(target):
    if target in NO_CORPUS:
        return '–'
    files = list((CORPUS / target).iterdir())
    return f'{len(files)} files, {sum(p.stat().st_size for p in files) / 1024:.0f} KiB'


def write_page():
    entries = [json.loads(line) for line in LOG.read_text().splitlines()]
    findings = json.loads((HERE / 'findings.json').read_text())
    lines = ['# Fuzzing', '',
             'Written by `./run fuzz`, from its log in `tests/fuzz/`; do not edit.', '',
             'Every reader of a file is a fuzz target in `tests/fuzz/`, run by libFuzzer under the',
             'address and undefined-behaviour sanitizers. ONNX files are changed field by field',
             '(`mutate.c`), so that most of them are still models. The first inputs are the node',
             'tests of ONNX, where Debian has them installed (libonnx-testdata); the stored',
             'corpora hold what mutation made of them and of seeds of our own: the fewest inputs that',
             'reach every edge, and each input that once broke something (`found-*`). `./run test`',
             'replays them all, and lets every allocation fail for each ONNX file, NNEF text and',
             'compiled model.', '',
             '| target | what it reads | executions | CPU hours | corpus | edges |',
             '| --- | --- | ---: | ---: | ---: | ---: |']
    hours = 0
    for target, (what, _) in TARGETS.items():
        own = [e for e in entries if e['target'] == target]
        if not own:
            continue
        cpu = sum(e['cpu_s'] for e in own) / 3600
        hours += cpu
        lines.append(f'| {target} | {what} | {sum(e["executions"] for e in own):,} | {cpu:.2f} | '
                     f'{stored_files(target)} | {max(e["edges"] for e in own):,} |')
    lines += ['', f'Together {sum(e["executions"] for e in entries):,} executions in {hours:.2f} '
              f'hours of processor time, last at commit {entries[-1]["commit"]}.', '',
              '## Lines that the stored corpora reach', '',
              '| target | files | lines | reached |', '| --- | --- | ---: | ---: |']
    for target in TARGETS:
        if any(e['target'] == target for e in entries) and TARGETS[target][1]:
            for beginning, (reached, count) in line_coverage(target).items():
                files = beginning if beginning.endswith(('/', '.c')) else f'{beginning}*'
                lines.append(f'| {target} | `{files}` | {count:,} | '
                             f'{100 * reached / max(count, 1):.1f} % |')
    lines += ['', '## Found and fixed', '', '| target | what broke | input | fixed by |',
              '| --- | --- | --- | --- |']
    for f in findings:
        lines.append(f'| {f["target"]} | {f["what"]} | {f.get("input", "a unit test")} | '
                     f'{fixed_by(f["subject"])} |')
    PAGE.write_text('\n'.join(lines) + '\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--minutes', type=float, default=10, help='in all, of wall-clock time')
    parser.add_argument('--jobs', type=int, default=1, help='fuzzers beside each other')
    parser.add_argument('--page', action='store_true', help='write the page and nothing else')
    parser.add_argument('target', nargs='*')
    args = parser.parse_args()
    unknown = [t for t in args.target if t not in TARGETS]
    if unknown:
        parser.error(f'there is no target {unknown[0]}; there are {", ".join(TARGETS)}')
    good = True
    if not args.page:
        build(WORK, SANITIZE)
        targets = args.target or list(TARGETS)
        for target in targets:
            good &= fuzz(target, max(1, int(args.minutes * 60 / len(targets))), args.jobs)
    build(COVERAGE, MEASURE)
    write_page()
    return 0 if good else 1


if __name__ == '__main__':
    sys.exit(main())
