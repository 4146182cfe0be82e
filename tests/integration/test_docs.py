#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The pages and sources keep what they promise: commands, links, lengths, licence lines."""
import pathlib
import re
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.repository import files                                           # noqa: E402

SOURCE = re.compile(r'(\.(c|h|inc|py|sh|proto|ini|in|rules|sysusers|tmpfiles|cpp)|meson\.build|'
                    r'meson_options\.txt|\.clang-format|\.editorconfig)$')
# Programs that the pages call and that come with the system or its packages.
FOREIGN = {'sudo', 'git', 'cd', 'mosquitto_sub', 'mosquitto_pub', 'systemctl', 'journalctl', 'apt',
           'apt-get', 'sudoedit', 'systemd-sysusers', 'systemd-creds', 'export', 'cat', 'ls', 'cp',
           'ninja', 'meson', 'sh', 'python3', '/usr/bin/python3', 'curl', 'jq', 'v4l2-ctl',
           'install', 'mkdir', 'chmod', 'echo', 'cc', 'gst-launch-1.0', 'kill', 'nice'}


def pages():
    return [ROOT / f for f in files() if f.endswith('.md')]


def commands(page):
    """The lines of shell blocks, without prompts, comments and continuation."""
    text = page.read_text()
    for block in re.findall(r'^ *```(?:sh|bash|console)\n(.*?)^ *```', text, re.DOTALL | re.M):
        for line in block.replace('\\\n', ' ').splitlines():
            line = re.sub(r'(^|\s)#.*', '', line.strip().removeprefix('$ ')).strip()
            if line:
                yield line


class Docs(unittest.TestCase):
    def words(self):
        """(page, the program of each command, its words)"""
        for page in pages():
            for line in commands(page):
                for part in re.split(r'\s*(?:&&|\|\||;|\|)\s*', line):
                    words = [w for w in part.split() if not re.match(r'^\w+=', w)]
                    if words and words[0] == 'sudo':
                        words = [w for w in words[1:] if not re.match(r'^(-\w|\w+=)', w)]
                    if words:
                        yield page.relative_to(ROOT), words[0], words

    def test_commands_exist(self):
        meson = ''.join((ROOT / f).read_text() for f in files() if f.endswith('meson.build'))
        for page, program, words in self.words():
            with self.subTest(page=str(page), command=' '.join(words)):
                if program.startswith('./'):
                    self.assertTrue((ROOT / program).exists(), f'{program} does not exist')
                elif program.startswith('build/') or program in ('plated', 'platectl', 'plated-nn'):
                    name = program.split('/')[-1]
                    self.assertTrue(f"'{name}'" in meson, f'meson builds no {name}')
                elif program.startswith(('tests/', 'models/')):
                    self.assertTrue((ROOT / program).exists(), f'{program} does not exist')
                else:
                    self.assertIn(program, FOREIGN, 'the page calls a program nobody knows')

    def test_verbs_of_the_front_door(self):
        told = subprocess.run([ROOT / 'run', 'help'], capture_output=True, text=True, check=True)
        verbs = set(re.findall(r'\./run (\w+)', told.stdout))
        self.assertEqual(verbs, {'demo', 'test', 'build', 'bench', 'fuzz', 'soak', 'kills', 'arm64',
                                 'install', 'help'})
        for page, program, words in self.words():
            if program == './run':
                with self.subTest(page=str(page), command=' '.join(words)):
                    self.assertIn(words[1] if words[1:] else 'help', verbs)

    def test_readme_has_the_two_commands(self):
        lines = list(commands(ROOT / 'README.md'))
        self.assertIn('./run demo', lines)
        self.assertIn('./run test', lines)

    def test_python_modules_exist(self):
        for page, program, words in self.words():
            if 'python3' in program and '-m' in words:
                module = words[words.index('-m') + 1]
                with self.subTest(page=str(page), module=module):
                    self.assertTrue((ROOT / (module.replace('.', '/') + '.py')).exists())

    def test_links(self):
        for page in pages():
            for link in re.findall(r'(?<!!)\[[^\]]*\]\(([^)\s]+)\)', page.read_text()):
                if re.match(r'^[a-z]+:', link) or link.startswith('#'):
                    continue
                with self.subTest(page=str(page.relative_to(ROOT)), link=link):
                    self.assertTrue((page.parent / link.split('#')[0]).exists(), 'leads nowhere')

    def test_named_files_exist(self):
        """Paths in backticks that begin with a folder of the repository."""
        folders = '|'.join(sorted({f.split('/')[0] for f in files() if '/' in f}))
        made = re.compile(r'[*<{$…]|^\.git|/\.cache/')        # patterns, and what training leaves
        for page in pages():
            for name in re.findall(rf'`((?:{folders})/[\w./-]+)`', page.read_text()):
                with self.subTest(page=str(page.relative_to(ROOT)), name=name):
                    self.assertTrue(made.search(name) or (ROOT / name).exists(), 'does not exist')

    def test_no_absolute_paths_of_a_developer(self):
        wrong = re.compile(r'(?<![\w$.}])/(?:home/\w+|root|work|Users|tmp/\w+)/')
        for name in files():
            path = ROOT / name
            if path.suffix in ('.onnx', '.png', '.jpg') or path.samefile(__file__):
                continue
            with self.subTest(file=name):
                lines = path.read_text(errors='replace').splitlines()
                found = [line.strip()[:100] for line in lines if wrong.search(line)]
                self.assertEqual(found, [])

    def test_architecture_is_short(self):
        self.assertLessEqual(len((ROOT / 'docs/ARCHITECTURE.md').read_text().splitlines()), 150)

    def test_licence_lines(self):
        for name in files():
            if SOURCE.search(name) or name in ('run', '.ci/run'):
                head = '\n'.join((ROOT / name).read_text(errors='replace').splitlines()[:3])
                with self.subTest(file=name):
                    self.assertIn('SPDX-License-Identifier: Apache-2.0', head)

    def test_licence_is_whole(self):
        text = (ROOT / 'LICENSE').read_text()
        self.assertIn('Apache License', text)
        self.assertIn('END OF TERMS AND CONDITIONS', text)


if __name__ == '__main__':
    unittest.main()
