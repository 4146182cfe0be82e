# SPDX-License-Identifier: Apache-2.0
"""How the suites of tests/run_all.py run their tests and what they make of the answers."""
import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = ROOT / 'build'
LOGS = BUILD / 'logs'
PYTHON = os.environ.get('PYTHON', '/usr/bin/python3')
MESON_RESULTS = {'OK': 'passed', 'EXPECTEDFAIL': 'passed', 'SKIP': 'skipped'}


@dataclasses.dataclass
class Result:
    """One test: outcome is passed, failed or skipped; `why` belongs to the last two."""
    name: str
    outcome: str
    why: str = ''
    count: int = 1


def passed(name):
    return Result(name, 'passed')


def failed(name, why):
    return Result(name, 'failed', why)


def skipped(name, why):
    return Result(name, 'skipped', why)


def last_line(text, default='it said nothing'):
    lines = [line.strip() for line in (text or '').splitlines() if line.strip()]
    return lines[-1] if lines else default


def tail(text, lines=25):
    return '\n'.join((text or '').rstrip().splitlines()[-lines:])


def run(argv, log, timeout, env=None):
    """(exit status, output) of a command in its own process group, all of it in a log as well.

    A command that runs too long is ended with its children and returns 124."""
    LOGS.mkdir(parents=True, exist_ok=True)
    path = LOGS / f'{log}.log'
    with open(path, 'wb') as out:
        process = subprocess.Popen([str(a) for a in argv], cwd=ROOT, stdin=subprocess.DEVNULL,
                                   stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
                                   env={**os.environ, **(env or {})})
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            status = 124
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)
            raise
    return status, path.read_text(errors='replace')


def build(folder, options, log, env=None):
    """None, or a sentence that says why the folder could not be built."""
    path = ROOT / folder
    stamp = path / '.test-options'
    wanted = ' '.join(options)
    if not (path / 'build.ninja').exists() or not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(path, ignore_errors=True)
        status, output = run(['meson', 'setup', path, *options], f'{log}-setup', 300, env)
        if status:
            return f'meson setup: {blame(output)} (build/logs/{log}-setup.log)'
        stamp.write_text(wanted)
    status, output = run(['ninja', '-C', path], f'{log}-build', 1800, env)
    return f'{blame(output)} (build/logs/{log}-build.log)' if status else None


def blame(output):
    """The line of a build log that names the error."""
    found = re.search(r'^.*(?:error:|ERROR:|FAILED:).*$', output, re.MULTILINE)
    return found.group().strip() if found else last_line(output)


def meson_tests(folder):
    """[(name, suites)] of a build folder."""
    listing = subprocess.run(['meson', 'introspect', '--tests', ROOT / folder], check=True,
                             capture_output=True, text=True).stdout
    return [(t['name'], {s.split(':')[-1] for s in t['suite']}, t['cmd'])
            for t in json.loads(listing)]


def meson_log(folder):
    """The log of the last `meson test`, whose name tells the wrapper; None before the first."""
    logs = (ROOT / folder / 'meson-logs').glob('testlog*.json')
    return max(logs, key=lambda p: p.stat().st_mtime, default=None)


def meson_results(folder):
    """Results of the last `meson test`, from its own log."""
    for line in meson_log(folder).read_text().splitlines():
        entry = json.loads(line)
        name = entry['name'].split(' / ')[-1].strip()
        outcome = MESON_RESULTS.get(entry['result'], 'failed')
        output = (entry.get('stdout') or '') + (entry.get('stderr') or '')
        if outcome == 'passed':
            yield passed(name)
        elif outcome == 'skipped':
            yield skipped(name, last_line(output))
        else:
            yield failed(name, f'{entry["result"]}, status {entry.get("returncode")}\n'
                         + tail(output))


def meson(folder, log, wanted, wrapper=None, env=None, multiplier=4):
    """Runs the tests of a build folder for which wanted(name, suites) holds."""
    names = [name for name, suites, _ in meson_tests(folder) if wanted(name, suites)]
    if not names:
        yield failed(folder, 'this folder has none of the tests that belong here')
        return
    for old in (ROOT / folder / 'meson-logs').glob('testlog*'):
        old.unlink()
    argv = ['meson', 'test', '-C', folder, '--no-rebuild', '-t', str(multiplier)]
    if wrapper:
        argv += ['--wrapper', wrapper]
    status, output = run(argv + names, log, 1800, env)
    if not meson_log(folder):
        yield failed(folder, f'meson test ended with {status}: {last_line(output)}')
        return
    seen = 0
    for result in meson_results(folder):
        seen += 1
        yield result
    if seen < len(names):
        yield failed(folder, f'{len(names)} tests were asked for, {seen} answered '
                             f'(build/logs/{log}.log)')


TAP = re.compile(r'^(not )?ok\b(?:\s+\d+)?(?:\s+-)?\s*(.*?)(?:\s+#\s*SKIP\b\s*(.*))?$')


def tap_results(output):
    """Results in the Test Anything Protocol; after a failure, lines that begin with # say why."""
    results = []
    for line in output.splitlines():
        match = TAP.match(line)
        if match:
            bad, name, skip = match.groups()
            outcome = 'skipped' if skip is not None else 'failed' if bad else 'passed'
            results.append(Result(name, outcome, skip or ''))
        elif line.startswith('# ') and results and results[-1].outcome == 'failed':
            results[-1].why += ('\n' if results[-1].why else '') + line[2:]
    return results


COUNTED = re.compile(r'^(\d+) passed, (\d+) failed\b.*$', re.MULTILINE)


def counted_results(output):
    """Results of a program that names its failures and closes with a count."""
    told = COUNTED.findall(output)
    if not told:
        return []
    wrong = [failed(*line.split(': ', 2)[1:])
             for line in output.splitlines() if line.startswith('failed: ')]
    good = [Result('cases', 'passed', count=int(told[-1][0]))] if int(told[-1][0]) else []
    return good + (wrong or [failed('cases', 'not named')] * int(told[-1][1]))


def script(name, argv, timeout, env=None):
    """Runs a test program: its own list of results, or its exit status as one (77 skips)."""
    status, output = run(argv, name, timeout, env)
    for line in output.splitlines():
        if line.startswith('## '):                       # a figure that belongs on the terminal
            print(f'    {line[3:]}', flush=True)
    results = tap_results(output) or counted_results(output)
    yield from results
    bad = any(r.outcome == 'failed' for r in results)
    if status == 77 and not results:
        yield skipped(name, last_line(output))
    elif status == 124:
        yield failed(name, f'not done after {timeout} s\n{tail(output)}')
    elif status and not bad:
        yield failed(name, f'ended with {status}\n{tail(output)}')
    elif not status and not results:
        yield passed(name)


def complete(results):
    """The results, and a failure in place of an exception: it must not hide other suites."""
    try:
        yield from results
    except Exception as error:
        yield failed('suite', f'broke off: {type(error).__name__}: {error}')


class Tally:
    """Counts and prints results as they come."""

    def __init__(self):
        self.count = {'passed': 0, 'failed': 0, 'skipped': 0}
        self.failures = []

    def suite(self, name, results):
        started, before = time.monotonic(), dict(self.count)
        print(f'--- {name}', flush=True)
        for result in complete(results):
            self.count[result.outcome] += result.count
            if result.outcome == 'skipped':
                print(f'skip {name}/{result.name}: {result.why or "no reason given"}', flush=True)
            elif result.outcome == 'failed':
                self.failures.append(f'{name}/{result.name}')
                print(f'FAIL {name}/{result.name}: {tail(result.why, 8)}', flush=True)
        told = ', '.join(f'{self.count[k] - before[k]} {k}' for k in self.count)
        print(f'    {told} ({time.monotonic() - started:.0f} s)', flush=True)

    def close(self):
        for failure in self.failures:
            print(f'failed: {failure}')
        print(', '.join(f'{n} {outcome}' for outcome, n in self.count.items()), flush=True)
        return 1 if self.count['failed'] or not self.count['passed'] else 0
