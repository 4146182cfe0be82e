# SPDX-License-Identifier: Apache-2.0
"""Checks of the networks, their export, the engine's cases and the region training.

    /usr/bin/python3 tests/models/test_networks.py
"""
import pathlib
import sys
import tempfile
import unittest
import unittest.mock

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

try:
    import numpy as np
    import onnx
    import torch
except ImportError as missing:
    print(f'skipped: {missing} (apt install python3-torch python3-onnx)')
    sys.exit(77)

from models import benchmarks, export, fixtures, networks, train_region  # noqa: E402

# Published: parameters (millions) and GFLOPs at 3x640x640 with 80 classes, or 224 with 1000.
PUBLISHED = {'yolov5n': (1.87, 4.5, 640), 'yolov5m': (21.2, 49.0, 640),
             'yolov7-tiny': (6.2, 13.8, 640), 'yolov7': (36.9, 104.7, 640),
             'resnet18': (11.69, 3.64, 224), 'resnet34': (21.80, 7.34, 224),
             'resnet50': (25.56, 8.18, 224)}


def small(name, merged=False, **more):
    """A narrow network with lively statistics."""
    torch.manual_seed(3)
    spec = {'name': name, 'nc': 3, 'ch': 1, 'width': fixtures.NARROW[name], 'divisor': 4, **more}
    net = fixtures.enliven(networks.build(spec), (64, 64), 3)
    return net.merge() if merged else net


class Networks(unittest.TestCase):
    def test_published_sizes(self):
        for name, (millions, gigaflops, size) in PUBLISHED.items():
            with self.subTest(network=name):
                net = networks.build({'name': name, 'nc': 80 if size == 640 else 1000}).merge()
                self.assertAlmostEqual(networks.parameters(net) / 1e6 / millions, 1, delta=0.01)
                flops = networks.flops(net, size, size) / 1e9
                self.assertAlmostEqual(flops / gigaflops, 1, delta=0.01)

    def test_raw_maps(self):
        for name in fixtures.YOLO:
            with self.subTest(network=name):
                maps = small(name)(torch.zeros(2, 1, 64, 96))
                self.assertEqual([tuple(m.shape) for m in maps],
                                 [(2, 3, 64 // s, 96 // s, 8) for s in (8, 16, 32)])

    def test_gradient_reaches_every_parameter(self):
        for name in fixtures.YOLO:
            with self.subTest(network=name):
                net = small(name).train()
                sum((m ** 2).sum() for m in net(fixtures.picture(1, 64, 64, 1))).backward()
                idle = [n for n, p in net.named_parameters()
                        if p.grad is None or not bool((p.grad != 0).any())]
                self.assertEqual(idle, [])

    def test_merge_changes_nothing(self):
        x = fixtures.picture(1, 64, 64, 5)
        for name in ('yolov7', 'yolov7-tiny'):
            with self.subTest(network=name):
                net = small(name)
                before = export.run(net, x)
                names = {type(m).__name__ for m in net.merge().modules()}
                self.assertNotIn('Implicit', names)
                for a, b in zip(before, export.run(net, x)):
                    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)

    def test_checkpoint_round_trip(self):
        net = small('yolov5n')
        x = fixtures.picture(1, 64, 64, 6)
        with tempfile.TemporaryDirectory() as folder:
            networks.save(f'{folder}/a.pt', net, {'plated.task': 'detect'}, size=(64, 64))
            again, metadata, rest = networks.load(f'{folder}/a.pt')
        self.assertEqual(metadata, {'plated.task': 'detect'})
        self.assertEqual(rest, {'size': (64, 64)})
        for a, b in zip(export.run(net, x), export.run(again, x)):
            np.testing.assert_array_equal(a, b)

    def test_scaled_channels(self):
        self.assertEqual(networks.scaled(64, 0.25), 16)
        self.assertEqual(networks.scaled(64, 0.3), 24)
        self.assertEqual(networks.scaled(64, 0.3, 4), 20)
        self.assertEqual(networks.scaled(8, 0.1), 8)


class Heads(unittest.TestCase):
    def test_decoded_is_the_contract(self):
        """The formula of docs/model-contract.md, cell by cell."""
        for name in ('yolov7-tiny', 'yolov5n'):
            net = small(name, merged=True)
            x = fixtures.picture(1, 64, 96, 8)
            raw = export.run(net, x)
            decoded = export.run(export.Decoded(net), x)[0][0]
            row = 0
            for level, stride in zip(raw, net.strides):
                s = 1 / (1 + np.exp(-level[0].astype(np.float64)))
                index = net.strides.index(stride)
                for a, j, i in np.ndindex(s.shape[:3]):
                    cell, anchor = s[a, j, i], net.anchors[index, a].numpy()
                    want = np.concatenate([(2 * cell[:2] - 0.5 + (i, j)) * stride,
                                           (2 * cell[2:4]) ** 2 * anchor, cell[4:]])
                    np.testing.assert_allclose(decoded[row], want, rtol=1e-4, atol=1e-3)
                    row += 1
            self.assertEqual(row, len(decoded))

    def test_suppression(self):
        boxes = torch.tensor([[[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10], [0, 0, 10, 5.0]]])
        scores = torch.tensor([[[0.6, 0.9, 0.3, 0.8]]])
        # 0 overlaps 1 by 90/110; 3 overlaps 1 by 45/105; 2 touches none.
        self.assertEqual(export.suppress(boxes, scores, 10, 0.5, 0.1).tolist(),
                         [[0, 0, 1], [0, 0, 3], [0, 0, 2]])
        self.assertEqual(export.suppress(boxes, scores, 10, 0.4, 0.4).tolist(), [[0, 0, 1]])
        self.assertEqual(export.suppress(boxes, scores, 2, 0.9, 0.1).tolist(),
                         [[0, 0, 1], [0, 0, 3]])

    def test_detections_are_the_decoded_boxes(self):
        net = small('yolov7-tiny', merged=True)
        for seed in range(30, 60):
            x = fixtures.picture(1, 64, 64, seed)
            limits = fixtures.thresholds(net, x)
            if limits:
                break
        found = export.run(export.WithNms(net, **limits), x)[0]
        decoded = export.run(export.Decoded(net), x)[0][0]
        self.assertGreater(len(found), 1)
        corners = np.concatenate([decoded[:, :2] - decoded[:, 2:4] / 2,
                                  decoded[:, :2] + decoded[:, 2:4] / 2], 1)
        scores = decoded[:, 5:] * decoded[:, 4:5]
        for row in found:
            k = int(np.abs(corners - row[1:5]).sum(1).argmin())
            np.testing.assert_allclose(corners[k], row[1:5], rtol=1e-4, atol=1e-3)
            self.assertEqual(int(row[5]), int(scores[k].argmax()))
            self.assertAlmostEqual(float(row[6]), float(scores[k].max()), places=5)


class Export(unittest.TestCase):
    def operators(self, net, **options):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / 'model.onnx'
            export.write(net, path, (64, 64), metadata={'plated.task': 'detect', 'other': 1},
                         **options)
            model = onnx.load(str(path))
        strings = {p.key: p.value for p in model.metadata_props}
        return [n.op_type for n in model.graph.node], model, strings

    def test_every_opset_says_itself(self):
        for opset in range(11, 18):
            _, model, _ = self.operators(small('resnet18'), opset=opset)
            self.assertEqual(model.opset_import[0].version, opset)

    def test_folded_and_unfolded(self):
        net = small('yolov7-tiny', merged=True)
        self.assertNotIn('BatchNormalization', self.operators(net)[0])
        self.assertEqual(self.operators(net, unfolded=True)[0].count('BatchNormalization'),
                         sum(isinstance(m, torch.nn.BatchNorm2d) for m in net.modules()))

    def test_heads(self):
        net = small('yolov5n')
        operators, model, strings = self.operators(net, head='nms')
        self.assertEqual(operators.count('NonMaxSuppression'), 1)
        self.assertNotIn('TopK', operators)
        self.assertEqual([o.name for o in model.graph.output], ['detections'])
        self.assertNotIn('plated.anchors', strings)
        operators, model, strings = self.operators(net, head='raw')
        self.assertEqual(len(model.graph.output), 3)
        self.assertEqual(strings['plated.strides'], '8,16,32')
        self.assertEqual(strings['plated.anchors'].split(';')[0], '10,13,16,30,33,23')
        self.assertNotIn('other', strings)

    def test_free_sizes(self):
        _, model, _ = self.operators(small('yolov7-tiny', merged=True), head='decoded',
                                     dynamic=True)
        dims = model.graph.input[0].type.tensor_type.shape.dim
        self.assertEqual([d.dim_param for d in dims], ['batch', '', 'height', 'width'])

    def test_inner_size(self):
        operators, model, _ = self.operators(small('resnet18', inner=32), opset=13)
        self.assertEqual(operators.count('Resize'), 1)
        self.assertEqual(model.graph.input[0].type.tensor_type.shape.dim[3].dim_value, 64)


class Fixtures(unittest.TestCase):
    def test_a_case(self):
        with tempfile.TemporaryDirectory() as folder:
            writer = fixtures.Writer(folder)
            spec = {'name': 'yolov5n', 'nc': 2, 'ch': 1, 'width': 0.5, 'divisor': 4}
            writer.case('one', spec, (64, 64), 'nms', 12)
            files = sorted(p.name for p in pathlib.Path(folder, 'one').iterdir())
            found = np.load(f'{folder}/one/output_detections.npy')
            name, rtol, atol = pathlib.Path(folder, 'cases.txt').read_text().split()
        self.assertEqual(files, ['input_images.npy', 'model.onnx', 'output_detections.npy'])
        self.assertEqual(found.shape[1], 7)
        self.assertGreater(len(found), 5)
        self.assertEqual((name, rtol), ('one', '0.0001'))
        self.assertLess(float(atol), 0.1)

    def test_pruning_zeroes_what_it_says(self):
        net = small('yolov7-tiny')
        fixtures.prune(net, 1)
        conv = net.stage5[1].chain[0].conv.weight
        self.assertAlmostEqual(float((conv == 0).float().mean()), 0.4, places=2)
        gains = torch.cat([m.weight for m in net.modules()
                           if isinstance(m, torch.nn.BatchNorm2d)])
        self.assertAlmostEqual(float((gains == 0).float().mean()), 1 / 3, delta=0.05)


class Benchmarks(unittest.TestCase):
    def test_a_network_is_written_once(self):
        spec = {'name': 'resnet18', 'nc': 5, 'ch': 1, 'width': 0.125}
        with tempfile.TemporaryDirectory() as folder, \
                unittest.mock.patch.dict(benchmarks.NETWORKS, {'narrow': (spec, (64, 64))}):
            made = pathlib.Path(folder) / 'narrow'
            times = []
            for _ in range(2):
                self.assertEqual(benchmarks.main([folder, '--networks', 'narrow']), 0)
                times.append((made / 'model.onnx').stat().st_mtime_ns)
            self.assertEqual(times[0], times[1])
            x = torch.from_numpy(np.load(made / 'input_images.npy'))
            np.testing.assert_allclose(torch.jit.load(str(made / 'model.pt'))(x).numpy(),
                                       np.load(made / 'output_logits.npy'), rtol=1e-3, atol=1e-4)

    def test_numbers_of_no_trained_network_are_refused(self):
        x = fixtures.picture(1, 64, 64, 1)
        for gain, why in ((1e30, 'beyond'), (1e-39, 'denormal')):
            net = small('resnet18')
            net.stem[0].weight.data *= gain
            net.stem[1] = torch.nn.Identity()
            with self.assertRaisesRegex(RuntimeError, why):
                benchmarks.check_scale(net, x)


class Region(unittest.TestCase):
    def test_regions(self):
        regions = train_region.REGIONS
        self.assertEqual((len(regions), len(set(regions))), (57, 57))
        self.assertEqual([r for r in regions if r.startswith('CA')],
                         ['CA-AB', 'CA-BC', 'CA-MB', 'CA-ON', 'CA-QC', 'CA-SK'])
        self.assertEqual(train_region.region_index('us-pr'), train_region.NEGATIVE)
        self.assertEqual(regions[train_region.region_index('us-dc')], 'US-DC')

    def test_targets(self):
        rows = train_region.targets([3, train_region.NEGATIVE], 0.05)
        np.testing.assert_allclose(rows.sum(1).numpy(), 1, rtol=1e-5)
        self.assertEqual(int(rows[0].argmax()), 3)
        self.assertEqual(float(rows[1].max()), float(rows[1].min()))

    def test_fit(self):
        cut = np.full((50, 100), 200, np.uint8)
        self.assertTrue((train_region.fit(cut, 64, 'stretch') == 200).all())
        boxed = train_region.fit(cut, 64, 'zeros')
        self.assertTrue((boxed[16:48] == 200).all())
        self.assertEqual(int(boxed[:16].sum()) + int(boxed[48:].sum()), 0)

    def test_augment_repeats_itself(self):
        plate = (fixtures.picture(1, 128, 224, 1)[0, 0].numpy() * 255).astype(np.uint8)
        first, again, other = (
            train_region.augment(np.random.default_rng(seed), plate, 224, 'stretch')
            for seed in (1, 1, 2))
        self.assertEqual((first.shape, first.dtype), ((224, 224), np.uint8))
        np.testing.assert_array_equal(first, again)
        self.assertTrue((first != other).any())


if __name__ == '__main__':
    unittest.main()
