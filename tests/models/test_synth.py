# SPDX-License-Identifier: Apache-2.0
"""Drawn plates, signs and reader crops: repeatable, inside the picture, legal; loss assignment;
reading order.

    /usr/bin/python3 -m unittest tests/models/test_synth.py
"""
import os
import re
import sys
import unittest
from unittest import mock

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
from models import plates, synth, writing  # noqa: E402

try:
    import torch
except ImportError:
    torch = None
if torch is not None:
    from models import loss


class Plates(unittest.TestCase):
    def test_same_seed_same_plate(self):
        for seed in range(5):
            a, ab = plates.draw_plate(np.random.default_rng(seed))
            b, bb = plates.draw_plate(np.random.default_rng(seed))
            self.assertTrue(np.array_equal(a, b))
            self.assertEqual(ab, bb)
        c, _ = plates.draw_plate(np.random.default_rng(77))
        self.assertFalse(a.shape == c.shape and np.array_equal(a, c))

    def test_every_region_and_boxes_inside(self):
        rng = np.random.default_rng(1)
        self.assertEqual(len(plates.REGIONS), 57)
        for region in list(plates.REGIONS) + ["EU"]:
            for _ in range(4):
                img, boxes = plates.draw_plate(rng, region=region)
                self.assertEqual(img.dtype, np.uint8)
                self.assertGreaterEqual(len(boxes), 3, region)
                for c, x0, y0, x1, y1 in boxes:
                    self.assertIn(c, plates.ALPHABET)
                    self.assertTrue(0 <= x0 < x1 <= img.shape[1], (region, x0, x1))
                    self.assertTrue(0 <= y0 < y1 <= img.shape[0], (region, y0, y1))

    def test_text_is_drawn_in_order_and_o_is_zero(self):
        _, boxes = plates.draw_plate(np.random.default_rng(3), text="ROD-1Q7", region="US-NY", style="clean")
        self.assertEqual("".join(b[0] for b in boxes), "R0D1Q7")
        self.assertEqual([b[1] for b in boxes], sorted(b[1] for b in boxes))

    def test_characters_have_ink_in_their_boxes(self):
        img, boxes = plates.draw_plate(np.random.default_rng(4), text="KDP9989", region="US-NY", style="clean")
        ground = np.median(img)
        for c, x0, y0, x1, y1 in boxes:
            self.assertGreater(np.abs(img[y0:y1, x0:x1].astype(float) - ground).max(), 60, c)

    def test_serials_are_those_that_the_pipeline_knows(self):
        path = os.path.join(os.path.dirname(plates.__file__), "..", "pipeline", "formats.inc")
        with open(path, encoding="utf-8") as file:
            known = {code: set(re.findall(r'"(\w+)"', rest))
                     for code, rest in re.findall(r'^LPR_FORMATS\("([A-Z-]+)",(.*)\)$', file.read(), re.M)}
        drawn = {code: {re.sub("[-_]", "", serial) for serial in serials.split()}
                 for code, (_, _, serials) in plates.REGIONS.items()}
        self.assertEqual(drawn, known)

    def test_serifs_and_bars_stay_inside_their_glyphs(self):
        for char in plates.ALPHABET:
            for serif in (False, True):
                mask = plates._die_glyph(char, 40, 80, 9, .4, False, {"M": .6, "W": .4}, serif)
                self.assertEqual(mask.shape, (80, 40), char)
                self.assertGreater(int(mask.max()), 200, char)
        np.testing.assert_allclose(list(plates._serifs([(.5, 0), (.5, 1)])),
                                   [[(.32, 0), (.68, 0)], [(.32, 1), (.68, 1)]])

    def test_alphabet_has_no_letter_o(self):
        self.assertEqual(len(plates.ALPHABET), 35)
        self.assertNotIn("O", plates.ALPHABET)


class Writing(unittest.TestCase):
    def test_every_sign_repeats_and_has_a_mask(self):
        self.assertAlmostEqual(sum(share for _, share in writing.SIGNS), 1)
        for make, _ in writing.SIGNS:
            for seed in range(12):
                a, mask = make(np.random.default_rng(seed))
                b, _ = make(np.random.default_rng(seed))
                self.assertTrue(np.array_equal(a, b), make.__name__)
                self.assertEqual((a.shape, a.dtype), (mask.shape, np.float32), make.__name__)
                self.assertGreater(int(mask.max()), 0, make.__name__)

    def test_pages_of_any_shape(self):
        photograph = np.random.default_rng(0).uniform(0, 255, (90, 120)).astype(np.float32)
        for seed in range(12):
            w, h = ((384, 216), (288, 384), (64, 40))[seed % 3]
            page = writing.draw_page(np.random.default_rng(seed), w, h, photograph)
            self.assertEqual((page.shape, page.dtype), ((h, w), np.float32))
            self.assertGreater(float(page.std()), 1)


class Photographs(unittest.TestCase):
    def test_what_was_seen_by_eye_is_plate_or_lookalike(self):
        for (folder, _), seen in synth.seen_by_eye().items():
            self.assertIn(folder, ("det_experiment_plates", "det_openimages", "det_romanian"))
            for (x0, y0, x1, y1), _ in seen:
                self.assertTrue(x0 < x1 and y0 < y1)

    def test_crops_of_plates_that_are_evaluated_belong_to_no_part(self):
        twins = synth.in_eval("us_states")
        self.assertTrue(twins and all(name.startswith("us_crops/")
                                      for name in synth.in_eval("us_states", "eval")))
        with mock.patch.object(os, "listdir", return_value=[*twins, "zz_train_001.jpg"]):
            parts = synth.load_plate_crops("", False) + synth.load_plate_crops("", True)
        self.assertEqual([os.path.basename(p) for p in parts], ["zz_train_001.jpg"])

    def test_scenes_hold_plates_and_empty_ones_none(self):
        picture = synth.Picture("one.jpg", True, False)
        picture._image = np.random.default_rng(0).integers(0, 255, (300, 300)).astype(np.uint8)
        picture.boxes, picture.lookalikes = [(200.0, 200, 260, 230)], [(20.0, 30, 60, 50)]
        with mock.patch.object(synth, "load_pictures", return_value=[picture]), \
                mock.patch.object(synth, "load_plate_crops", return_value=[]):
            scenes = synth.Scenes()
        scenes.street = scenes.pictures
        count = 0
        for seed in range(15):
            img, boxes = scenes.scene(np.random.default_rng(seed))
            again, _ = scenes.scene(np.random.default_rng(seed))
            self.assertTrue(np.array_equal(img, again))
            self.assertTrue((boxes >= 0).all() and (boxes <= 384).all())
            count += len(boxes)
            img, boxes = scenes.empty(np.random.default_rng(seed))
            self.assertEqual((img.shape, len(boxes)), (synth.DETECT_SIZE, 0))
        self.assertGreater(count, 10)

    def test_a_sign_never_covers_a_plate(self):
        with mock.patch.object(synth, "load_pictures", return_value=[]), \
                mock.patch.object(synth, "load_plate_crops", return_value=[]):
            scenes = synth.Scenes()
        for seed in range(30):
            scene = np.full((216, 384), 90, np.float32)
            scenes._sign(np.random.default_rng(seed), scene, [(100, 60, 250, 150)], 120)
            self.assertTrue((scene[65:145, 105:245] == 90).all())


class Crops(unittest.TestCase):
    def test_crop_repeats_and_labels_stay_inside(self):
        nothing = synth.Backgrounds()
        for seed in range(20):
            a = synth.reader_crop(np.random.default_rng(seed), nothing)
            b = synth.reader_crop(np.random.default_rng(seed), nothing)
            self.assertTrue(all(np.array_equal(x, y) for x, y in zip(a, b)))
            img, boxes, classes = a
            self.assertEqual(img.shape, synth.READ_SIZE)
            self.assertEqual(len(boxes), len(classes))
            self.assertTrue((boxes >= 0).all())
            self.assertTrue((boxes[:, [0, 2]] <= synth.READ_SIZE[1]).all())
            self.assertTrue((boxes[:, [1, 3]] <= synth.READ_SIZE[0]).all())
            self.assertTrue(((classes >= 0) & (classes < 35)).all())

    def test_letterbox_is_centred_with_zeros(self):
        out, s, (dx, dy) = synth.letterbox(np.full((50, 200), 255, np.uint8), (128, 256))
        self.assertEqual((dx, dy), (0, 32))
        self.assertAlmostEqual(s, 1.28)
        self.assertEqual(int(out[:32].max()), 0)
        self.assertEqual(int(out[32:96].min()), 255)

    def test_validation_part_never_moves(self):
        self.assertEqual([synth.held_out(f"g{i}", 0.5) for i in range(6)],
                         [synth.held_out(f"g{i}", 0.5) for i in range(6)])
        share = np.mean([synth.held_out(f"g{i}", 0.12) for i in range(4000)])
        self.assertTrue(0.09 < share < 0.15, share)


@unittest.skipIf(torch is None, "PyTorch is not installed")
class Loss(unittest.TestCase):
    def test_assignment_takes_the_cell_and_two_neighbours(self):
        target = torch.tensor([[0.0, 2.0, 36.0, 21.0, 20.0, 10.0]])
        im, an, row, col, box, kind = loss.assign(target, torch.tensor([[18.0, 9.0], [200.0, 90.0]]), 8, 12, 12, 4.0)
        cells = sorted(zip(row.tolist(), col.tolist()))
        # Centre in cell (2, 4) at (.5, .625): the nearest others are to the right and below.
        self.assertEqual(cells, [(2, 4), (2, 5), (3, 4)])
        self.assertEqual(set(an.tolist()), {0})
        self.assertEqual(set(kind.tolist()), {2})

    def test_assignment_stays_inside_the_map(self):
        rng = np.random.default_rng(0)
        t = torch.tensor(np.column_stack([np.zeros(200), np.zeros(200), rng.uniform(0, 96, (200, 2)),
                                          rng.uniform(5, 60, (200, 2))]), dtype=torch.float32)
        _, _, row, col, _, _ = loss.assign(t, torch.tensor([[20.0, 20.0]]), 8, 12, 12, 4.0)
        self.assertGreater(len(row), 200)
        self.assertTrue(((row >= 0) & (row < 12) & (col >= 0) & (col < 12)).all())

    def test_iou_of_equal_and_apart(self):
        a = torch.tensor([[10.0, 10, 4, 4], [10, 10, 4, 4]])
        b = torch.tensor([[10.0, 10, 4, 4], [30, 10, 4, 4]])
        ciou, iou = loss.complete_iou(a, b)
        self.assertAlmostEqual(float(iou[0]), 1.0, places=4)
        self.assertAlmostEqual(float(ciou[0]), 1.0, places=4)
        self.assertEqual(float(iou[1]), 0.0)
        self.assertLess(float(ciou[1]), 0.0)

    def test_average_precision(self):
        truth = [np.array([[0.0, 0, 0, 10, 10], [0, 20, 20, 30, 30]])]
        both = np.array([[0.0, 0, 10, 10, .9, 0], [20, 20, 30, 30, .8, 0]])
        self.assertAlmostEqual(loss.average_precision([both], truth), 1.0)
        self.assertAlmostEqual(loss.average_precision([both[:1]], truth), 0.5)
        wrong = np.array([[50.0, 50, 60, 60, .95, 0]])
        self.assertAlmostEqual(loss.average_precision([np.concatenate([wrong, both[:1]])], truth), 0.25)

    def test_reading_order_of_stacks_and_lines(self):
        row = lambda x, y, w, h, c: [x, y, x + w, y + h, .9, plates.ALPHABET.index(c)]
        stack = np.array([row(30, 20, 18, 50, "7"), row(5, 46, 12, 22, "B"), row(5, 20, 12, 22, "A"),
                          row(55, 20, 18, 50, "K")])
        self.assertEqual(loss.reading(stack, plates.ALPHABET)[0], "AB7K")
        lines = np.array([row(10, 60, 15, 30, "3"), row(30, 61, 15, 30, "4"), row(11, 10, 15, 30, "1"),
                          row(31, 11, 15, 30, "2")])
        self.assertEqual(loss.reading(lines, plates.ALPHABET)[0], "1234")


if __name__ == "__main__":
    unittest.main()
