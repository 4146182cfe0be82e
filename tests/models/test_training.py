# SPDX-License-Identifier: Apache-2.0
"""Trainings of a few steps: they repeat, resume, prune; released files become checkpoints.

    /usr/bin/python3 -m unittest tests/models/test_training.py
"""
import argparse
import contextlib
import io
import os
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

try:
    import cv2
    import numpy as np
    import onnx  # noqa: F401
    import torch
except ImportError as missing:
    print(f'skipped: {missing} (apt install python3-torch python3-onnx)')
    sys.exit(77)

from models import (dataset, export, networks, pack, prune, restore, study,  # noqa: E402
                    synth, train_region, train_yolo)


def square(rng, i):
    """A white square on black, of class 0."""
    x, y, s = (int(v) for v in rng.integers(60, 220, 3))
    img = np.full((384, 384), 20, np.uint8)
    img[y:y + s // 2, x:x + s] = 230
    return img, [(x, y, min(x + s, 384), min(y + s // 2, 384))], [0]


class Trainings(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        for target in (mock.patch.object(synth, 'CACHE', self.folder),
                       mock.patch.object(dataset.Cache.__init__, '__defaults__', (self.folder,))):
            target.start()
            self.addCleanup(target.stop)
        synth.write_cache('detector-train-1', square, 8, 1, synth.DETECT_SIZE)
        synth.write_cache('detector-val-1', square, 2, 2, synth.DETECT_SIZE)

    def train(self, name, *more, steps=3):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            train_yolo.main(['detector', '--val', 'detector-val-1', '--width', '0.125', '--batch',
                             '2', '--steps', str(steps), '--out', f'{self.folder}/{name}', *more])
        return networks.load(f'{self.folder}/{name}.last.pt'), said.getvalue()

    def assert_same(self, a, b):
        for (name, x), y in zip(a.state_dict().items(), b.state_dict().values()):
            self.assertTrue(torch.equal(x, y), name)

    def test_seed_repeats_and_another_does_not(self):
        (a, _, rest), _ = self.train('a')
        (b, _, _), _ = self.train('b')
        self.assertEqual(rest['step'], 3)
        self.assert_same(a, b)
        (c, _, _), _ = self.train('c', '--seed', '2')
        self.assertFalse(torch.equal(a.head.out[0].weight, c.head.out[0].weight))

    def test_workers_make_batches_in_a_fixed_order(self):
        (a, _, _), _ = self.train('a', '--workers', '2')
        (b, _, _), _ = self.train('b', '--workers', '2')
        self.assert_same(a, b)

    def test_resume_goes_on(self):
        self.train('a', steps=2)
        (_, _, rest), _ = self.train('a', '--resume', steps=5)
        self.assertEqual(rest['step'], 5)
        self.assertEqual(rest['ema_steps'], 5)

    def test_pruned_weights_stay_zero(self):
        for mode in ('static', 'dynamic'):
            (net, _, rest), said = self.train(mode, '--prune', f'{mode}:0.4,0.3')
            conv, bn = prune.sparsity(net)
            self.assertAlmostEqual(conv, 0.4, delta=0.02)
            self.assertAlmostEqual(bn, 0.3, delta=0.05)
            self.assertIn('"zeros"', said)
            (net, _, _), _ = self.train(mode, '--prune', f'{mode}:0.4,0.3', '--resume', steps=4)
            self.assertAlmostEqual(prune.sparsity(net)[0], 0.4, delta=0.02)

    def test_pictures_without_plates_are_validated_by_what_stays_clean(self):
        synth.write_cache('empty-val-1', lambda rng, i: (square(rng, i)[0], [], []), 2, 2,
                          synth.DETECT_SIZE)
        (_, _, rest), _ = self.train('a', '--val', 'detector-val-1,empty-val-1', steps=1)
        self.assertEqual(set(rest['val']['empty-val-1']), {'clean'})
        self.assertEqual(set(rest['val']['detector-val-1']), {'map50'})

    def test_other_networks_train(self):
        (net, _, _), _ = self.train('n', '--network', 'yolov5n', '--width', '0.25', steps=1)
        self.assertEqual(net.spec['name'], 'yolov5n')


class Regions(unittest.TestCase):
    def test_processes_make_the_same_pictures(self):
        real = np.random.default_rng(3).integers(0, 255, (4, 128, 224)).astype(np.uint8)
        order = [(0, 1), (0, 3), (0, 0), (0, 2)]
        made = []
        for workers in (0, 2):
            args = argparse.Namespace(seed=1, letterbox='stretch', epochs=4, workers=workers,
                                      batch=2)
            with mock.patch.object(train_region, '_data', {'real': real}):
                made.append(np.stack(list(train_region.cuts(order, args, 1))))
        np.testing.assert_array_equal(*made)
        self.assertGreater(float(np.abs(made[0][0].astype(float) - made[0][1]).mean()), 1)


class Packs(unittest.TestCase):
    def test_a_pack_is_small_and_trains_alike(self):
        with tempfile.TemporaryDirectory() as folder:
            base = pathlib.Path(folder, 'data', 'train')
            for name in pack.SETS:
                (base / name / 'images').mkdir(parents=True)
                noise = np.random.default_rng(1).integers(0, 255, (128, 224)).astype(np.uint8)
                cv2.imwrite(str(base / name / 'images' / 'a.jpg'), noise)
                (base / name / 'labels.csv').write_text('file,x,y,w,h\na.jpg,1,2,30,40\n')
            with mock.patch.dict(os.environ, {'PLATED_DATA': str(base.parent)}), \
                    contextlib.redirect_stdout(io.StringIO()) as said, \
                    contextlib.redirect_stderr(io.StringIO()):
                self.assertEqual(pack.main(['--mib', '0.001', '--out', f'{folder}/p']), 1)
                self.assertEqual(pack.main(['--mib', '20', '--out', f'{folder}/p']), 0)
            self.assertIn('4 pictures at quality 95', said.getvalue())
            packed = synth.load_pictures(f'{folder}/p')
            self.assertEqual([p.boxes for p in packed], [[(1, 2, 31, 42)]] * 3)
            self.assertEqual(packed[0].image().shape, (128, 224))
            self.assertTrue(list(pathlib.Path(folder, 'p', 'fonts').rglob('*.?tf')))


class Studies(unittest.TestCase):
    def test_what_is_done_is_not_trained_again(self):
        figures = {'map50': 0.5, 'steps': 7, 'conv': 0.2, 'bn': 0.1, 'parameters': 9, 'ms': 1.5,
                   'mib': 20}
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(f'{folder}/study')
            command = ['--networks', 'yolov5n', '--pruning', 'static', '--data', 'reader']
            with mock.patch.object(synth, 'CACHE', folder), \
                    mock.patch.object(study, 'train', return_value='a.last.pt') as train, \
                    mock.patch.object(study, 'measure', return_value=figures), \
                    contextlib.redirect_stdout(io.StringIO()) as said:
                study.main(command)
                study.main(command)
        self.assertEqual(train.call_count, 1)
        row = '| characters, 35 classes | yolov5n (shallow) | static | 20.0 % | 10.0 % | 0.500 |'
        self.assertEqual(said.getvalue().count(row), 2)

    def test_names_are_checked(self):
        with self.assertRaises(SystemExit), contextlib.redirect_stderr(io.StringIO()) as said:
            study.main(['--networks', 'yolov9'])
        self.assertIn('there are yolov5m, yolov5n', said.getvalue())


class Pruning(unittest.TestCase):
    def test_the_smallest_go(self):
        mask = prune.smallest(torch.tensor([3.0, -1.0, 0.5, -4.0]), 0.5)
        self.assertEqual(mask.tolist(), [1, 0, 0, 1])

    def test_static_keeps_its_choice_and_dynamic_does_not(self):
        for mode, kept in (('static', [0, 1]), ('dynamic', [1, 0])):
            net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1, bias=False))
            pruner = prune.Pruner(net, f'{mode}:0.5,0')
            net[0].weight.data.view(-1).copy_(torch.tensor([1.0, 2.0]))
            pruner.epoch()
            net[0].weight.data.view(-1).copy_(torch.tensor([5.0, 3.0]))
            pruner.epoch()
            self.assertEqual((net[0].weight.flatten() != 0).int().tolist(), kept, mode)

    def test_slimming_silences_the_weakest_channels_alone(self):
        net = networks.build({'name': 'yolov5n', 'nc': 1, 'ch': 1, 'width': 0.5, 'divisor': 4})
        for m in net.modules():
            if isinstance(m, torch.nn.BatchNorm2d):
                torch.nn.init.uniform_(m.weight, 0.1, 1)
        count = prune.slim(net, 0.3)
        self.assertAlmostEqual(prune.sparsity(net)[1], 0.3, delta=0.03)
        self.assertEqual(count, sum(int((m.weight == 0).sum()) for m in net.modules()
                                    if isinstance(m, torch.nn.BatchNorm2d)))
        self.assertGreater(float(prune.Pruner(net, 'slim:0.1').penalty()), 0)

    def test_refusals_are_sentences(self):
        for text in ('static:0.2', 'slim:0.1,0.2', 'magic:1', 'static:1,0', 'dynamic:x,y'):
            with self.assertRaisesRegex(ValueError, f'"{text}"'):
                prune.parse(text)


class Restoring(unittest.TestCase):
    def restored(self, spec, size, metadata):
        torch.manual_seed(5)
        net = networks.build(spec).eval()
        for m in net.modules():
            if isinstance(m, torch.nn.BatchNorm2d):
                m.running_mean.normal_(0, 0.2)
                m.running_var.uniform_(0.5, 2)
        x = torch.randn(1, 1, *size)
        net.merge()
        with tempfile.TemporaryDirectory() as folder:
            export.write(net, f'{folder}/a.onnx', size, metadata=metadata, opset=13)
            again, told, shape = restore.restore(f'{folder}/a.onnx')
        self.assertEqual(shape, size)
        self.assertEqual(told['plated.task'], metadata['plated.task'])
        for a, b in zip(export.run(net, x), export.run(again, x)):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)
        return again, x

    def test_a_detector_and_its_statistics(self):
        net, x = self.restored({'name': 'yolov7-tiny', 'nc': 1, 'ch': 1, 'width': 0.25,
                                'anchors': train_yolo.TASKS['detector']['anchors']}, (64, 96),
                               {'plated.task': 'detect', 'plated.classes': 'plate'})
        before = export.run(net, x)
        batch = torch.randn(8, 1, 64, 96)
        restore.settle(net, [batch], (64, 96))
        for a, b in zip(before, export.run(net, x)):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)
        # What training mode gives on those pictures is now what the file gives.
        still = export.run(net, batch)
        for a, b in zip(still, export.run(net.train(), batch)):
            np.testing.assert_allclose(a, b, rtol=1e-2, atol=1e-3)

    def test_a_region_classifier(self):
        net, _ = self.restored({'name': 'resnet18', 'nc': 3, 'ch': 1, 'width': 0.25, 'inner': 48},
                               (64, 64), {'plated.task': 'region', 'plated.classes': 'a,b,c'})
        self.assertEqual(net.inner, 48)


if __name__ == '__main__':
    unittest.main()
