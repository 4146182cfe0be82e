# SPDX-License-Identifier: Apache-2.0
"""docs/engine-performance.md from what tests/bench/compare.py measured."""
import collections
import pathlib

import page

PAGE = page.ROOT / 'docs' / 'engine-performance.md'
# Of one core at 1.5 GHz: multiply-adds in 10^9 a second; copies by STREAM on a Raspberry Pi 4.
A72_GMAC, A72_GB = 6.0, 5.0

HEAD = '''# Where the engine's time goes

Written by `./run bench --peers --a72` (`tests/bench/compare.py`); do not edit. FP32, batch 1, one
thread; [benchmarks.md](benchmarks.md) has the comparison with other engines.

{machine}
'''
SUMMARY = '''## Raspberry Pi 4, estimated

One core at 1.5 GHz; ms as the estimator expects them on a Raspberry Pi 4. Before is the engine at
commit {before}. The bound is the larger of two: what the multiply-adds of direct convolutions take at
one 128-bit FMLA a cycle, and the memory traffic at 5 GB/s; Winograd executes fewer multiply-adds and
may pass the first. Executed is the share of those multiply-adds that is really done, memory the
share of the time that waits for it.

'''
NETWORKS = '''## Network by network

By operator and algorithm on the processor above, medians of each layer. Peak is what a loop of
multiply-adds reached in the same run; GFLOP/s count a direct convolution's operations, so that
Winograd may pass it. MB is what layers read and write at least once, weights as packed. Below each
table: the functions in which a Cortex-A72 would spend its time.

'''


def totals(layers):
    sums = collections.OrderedDict()
    for layer in layers:
        total = sums.setdefault((layer['operator'], layer['algorithm']),
                                {'ms': 0, 'flops': 0, 'bytes': 0, 'n': 0})
        for key in ('ms', 'flops', 'bytes'):
            total[key] += layer[key]
        total['n'] += 1
    return sorted(sums.items(), key=lambda item: -item[1]['ms'])


def row(title, total, whole_ms, peak):
    ms = max(total['ms'], 1e-9)
    gflops = total['flops'] / ms / 1e6
    return [title, str(total['n']), f'{total["ms"]:.2f}', f'{100 * total["ms"] / whole_ms:.1f} %',
            f'{gflops:.1f}' if total['flops'] else '–',
            f'{100 * gflops / peak:.0f} %' if total['flops'] else '–',
            f'{total["bytes"] / 1e6:.1f}', f'{total["bytes"] / ms / 1e6:.1f}']


def by_operator(profile):
    sums = totals(profile['layers'])
    whole = {key: sum(t[key] for _, t in sums) for key in ('ms', 'flops', 'bytes', 'n')}
    rows = [row(f'{operator} {algorithm}'.strip(), total, whole['ms'], profile['peak_gflops'])
            for (operator, algorithm), total in sums if total['ms'] > 0.002 * whole['ms']]
    rows.append(row('all', whole, whole['ms'], profile['peak_gflops']))
    return page.table(['operator', 'layers', 'ms', 'share', 'GFLOP/s', 'of the peak', 'MB', 'GB/s'],
                      rows)


def network(name, told):
    lines = [f'### {page.TITLES[name]}', '']
    if told.get('profile'):
        lines += by_operator(told['profile'])
    if told.get('a72'):
        spent = ', '.join(f'`{symbol}` {share:.0f} %' for share, symbol in told['a72']['functions']
                          if share >= 1)
        lines += [f'Cortex-A72: {spent}.', '']
    return lines


def summary(results):
    rows = []
    for name, told in results.items():
        now, before = told.get('a72'), told.get('a72_before')
        if not now or not told.get('profile'):
            continue
        gmac = sum(x['flops'] for x in told['profile']['layers']) / 2e9
        compute, memory = gmac / A72_GMAC * 1e3, now['traffic_mb'] / A72_GB
        rows.append([page.TITLES[name], page.number(before and before['ms'], '.0f'),
                     f'{now["ms"]:.0f}',
                     f'{before["ms"] / now["ms"]:.2f}×' if before else '–',
                     f'{compute:.0f}', f'{now["fma"] / gmac / 1e9:.0%}', f'{memory:.0f}',
                     f'{now["memory"]:.0f} %', f'{max(compute, memory) / now["time"]:.0%}'])
    return page.table(['network', 'before, ms', 'now, ms', 'won', 'multiply-adds at the peak, ms',
                       'executed', 'traffic at 5 GB/s, ms', 'memory', 'bound ÷ now'], rows)


def write(folder):
    results = page.read(folder)
    commits = {t['a72_before']['commit'] for t in results.values() if t.get('a72_before')}
    text = HEAD.format(machine=page.machine(results))
    text += SUMMARY.format(before=', '.join(f'`{c}`' for c in sorted(commits)) or 'not measured')
    text += '\n'.join(summary(results)) + '\n' + NETWORKS
    for name, told in results.items():
        text += '\n'.join(network(name, told)) + '\n'
    PAGE.write_text(text.rstrip() + '\n')
