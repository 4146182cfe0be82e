# SPDX-License-Identifier: Apache-2.0
"""The page docs/operators.md, as onnx_nodes.py writes it from what it found."""
import collections

import onnx

OPSET_MAX = 22
# Operators that came after the onnx package of Debian 12 (opset 17).
ADDED = ('AffineGrid BitwiseAnd BitwiseNot BitwiseOr BitwiseXor CenterCropPad Col2Im DeformConv '
         'Gelu GroupNormalization ImageDecoder Mish RegexFullMatch StringConcat '
         'StringSplit').split()
# Why operators of the standard are left out.
LEFT_OUT = {
    'sequences': 'ConcatFromSequence SequenceAt SequenceConstruct SequenceEmpty SequenceErase '
                 'SequenceInsert SequenceLength SequenceMap SplitToSequence'.split(),
    'optional values': 'Optional OptionalGetElement OptionalHasElement'.split(),
    'strings': 'RegexFullMatch StringConcat StringNormalizer StringSplit'.split(),
    'encoded pictures': ['ImageDecoder'],
}
# Right tests of others: all, node. Measured with the same data, as issue 3 of the project states.
OTHERS = (('ONNX Runtime 1.30', 950, 852), ('OpenCV 4.6', 209, 130))


def reason(operator):
    """Why the engine lacks an operator."""
    return next((why for why, names in LEFT_OUT.items() if operator in names),
                f'operator {operator}')


def standard():
    """Names of the operators of the default domain up to OPSET_MAX."""
    return sorted({s.name for s in onnx.defs.get_all_schemas() if s.domain == ''} | set(ADDED))


def totals(tests):
    """(share of the node tests of numbers that are right, lines that say so)"""
    node = [t for t in tests if t.folder == 'node']
    numbers = [t for t in node if t.numbers]

    def right(of):
        return sum(t.outcome == 'passed' for t in of)

    share = right(numbers) / max(len(numbers), 1)
    random = sum(t.random for t in numbers)
    lines = [f'ONNX node tests of numbers: {right(numbers)} of {len(numbers)} '
             f'({100 * share:.2f} %), {random} of them judged by what the specification promises',
             f'ONNX tests: {right(tests)} of {len(tests)}, node tests: {right(node)} of '
             f'{len(node)}; ' + ', '.join(f'{n}: {a} and {b}' for n, a, b in OTHERS)]
    return share, lines


def counts(tests):
    """{(domain, type): Counter of outcomes}"""
    found = collections.defaultdict(collections.Counter)
    for test in tests:
        for operator in test.operators:
            found[operator][test.outcome] += 1
    return found


def row(key, since, found):
    count = found[key]
    return (f'| {key[1]} | {since}–{OPSET_MAX} | {count["passed"]} | '
            f'{count["failed"] + count["different"]} | {count["unsupported"]} |')


def operator_table(known, found):
    names = {t for d, t in known if d == ''} & set(standard())
    # Control flow is the graph's own business, not an operator with a run.
    graph = {t for (d, t), c in found.items() if d == '' and t not in names and c['passed']}
    yield '| operator | opsets | passed | failed | not supported |'
    yield '| --- | --- | ---: | ---: | ---: |'
    for name in sorted(names | graph):
        since = known[('', name)]['since'] if name in names else 7
        yield row(('', name), since, found)


def other_table(known):
    yield '| operator | domain |'
    yield '| --- | --- |'
    inside = set(standard())
    for domain, name in sorted(known):
        if domain or name not in inside:
            yield f'| {name} | {domain or "none, or that of the standard"} |'


def total_table(tests):
    folders = list(dict.fromkeys(t.folder for t in tests))
    yield '| tests | all | passed | failed | not supported |'
    yield '| --- | ---: | ---: | ---: | ---: |'
    for title, of in [(f, [t for t in tests if t.folder == f]) for f in folders] + [('all', tests)]:
        count = collections.Counter(t.outcome for t in of)
        yield (f'| {title} | {len(of)} | {count["passed"]} | '
               f'{count["failed"] + count["different"]} | {count["unsupported"]} |')


def left_out_operators(known, found):
    """Lines that name the operators of the standard that are left out, by reason."""
    names = {t for d, t in known if d == ''}
    lacking = [n for n in standard() if n not in names and not found[('', n)]['passed']]
    listed = {n for of in LEFT_OUT.values() for n in of}
    for why, of in LEFT_OUT.items():
        yield f'- {why}: {", ".join(n for n in sorted(of) if n in lacking)}'
    yield ('- training: ' + ', '.join(sorted(s.name for s in onnx.defs.get_all_schemas()
                                             if s.domain == 'ai.onnx.preview.training')))
    rest = [n for n in lacking if n not in listed]
    if rest:
        yield f'- not there yet: {", ".join(rest)}'
    yield '- classical machine learning: the domain `ai.onnx.ml`' + (
        ' but for ' + ', '.join(sorted(t for d, t in known if d == 'ai.onnx.ml'))
        if any(d == 'ai.onnx.ml' for d, _ in known) else '')


def left_out_tests(tests):
    """Lines that name the tests which did not pass, by reason."""
    reasons = collections.defaultdict(list)
    for test in tests:
        if test.outcome != 'passed':
            reasons[test.why].append(test.name.removeprefix('test_'))
    for why, names in sorted(reasons.items()):
        yield f'- {why} ({len(names)}): {", ".join(names)}'


def write(tests, known, bar):
    found = counts(tests)
    share, _ = totals(tests)
    node = [t for t in tests if t.folder == 'node']
    numbers = [t for t in node if t.numbers]
    random = sorted(t.name.removeprefix('test_') for t in tests if t.random)
    passed = sum(t.outcome == 'passed' for t in numbers)
    n_known = sum(d == '' and t in standard() for d, t in known)

    def right(of):
        return sum(t.outcome == 'passed' for t in of)

    return '\n'.join([
        '# Operators',
        '',
        'Written by `tests/integration/onnx_nodes.py --write-docs`, which runs the tests of ONNX '
        'that Debian 12 ships (`libonnx-testdata` 1.12) through `plated-nn`; `./run test` fails '
        'when a run finds something else. A test counts for every operator in its network, and '
        'passes only when its values are right both while running and when the engine folds them '
        'at load. Models of opset 6 and older are brought to opset 7 by ONNX\'s own converter '
        'first. `plated-nn ops` lists the operators of a build.',
        '',
        '## Totals',
        '',
        f'Of the {len(numbers)} node tests whose inputs and outputs are tensors of float, double, '
        f'fp16, integers or bool, {passed} pass: {100 * share:.2f} %. The bar is {100 * bar:g} %.',
        '',
        *total_table(tests),
        '',
        '| engine | all | node |',
        '| --- | ---: | ---: |',
        f'| plated | {right(tests)} | {right(node)} |',
        *(f'| {name} | {every} | {nodes} |' for name, every, nodes in OTHERS),
        '',
        'The figures of the other engines were measured with the same data; they are not measured '
        'again here.',
        '',
        *([f'{len(random)} tests have no one right answer, because they draw random numbers: '
           f'{", ".join(random)}. They pass by type, shape, range and by giving the same values '
           'twice.', ''] if random else []),
        f'## Operators of the standard: {n_known}',
        '',
        f'The importer takes opsets 7 to {OPSET_MAX}. `failed` counts tests whose values are '
        'others; "Tests that do not pass" names them. What has no test here, and the forms of '
        'other opsets, are compared with numpy and PyTorch in '
        '`tests/integration/test_operators*.py`.',
        '',
        *operator_table(known, found),
        '',
        '## Operators outside the standard',
        '',
        'None of ONNX\'s tests use them. `plated` is the domain of what the passes make.',
        '',
        *other_table(known),
        '',
        '## Operators left out',
        '',
        'The engine holds tensors of numbers. A network that needs one of these is refused with '
        'its name.',
        '',
        *left_out_operators(known, found),
        '',
        '## Tests that do not pass',
        '',
        *left_out_tests(tests),
        '',
    ])
