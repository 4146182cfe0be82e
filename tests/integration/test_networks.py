#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Networks of others give what others stored beside them."""
import os
import tempfile
import unittest

try:
    import networks
except ImportError as error:
    raise unittest.SkipTest(str(error))

NN = os.environ.get('PLATED_NN', str(networks.ROOT / 'build/engine/plated-nn'))
# Operators that the engine leaves out: what it must say instead of running these.
LEFT_OUT = {'tract/xgboost_classifier_tree/model.onnx': 'TreeEnsembleClassifier'}


@unittest.skipUnless(networks.NETWORKS.is_dir(),
                     f'{networks.NETWORKS} is missing, PLATED_DATA says where the data is')
class Stored(unittest.TestCase):
    def test_all(self):
        compared = 0
        for network in networks.find():
            for what, inputs, outputs in networks.stored(network):
                with self.subTest(network=network.name, stored=what), \
                        tempfile.TemporaryDirectory() as folder:
                    self.one(network, inputs, outputs, folder)
                    compared += 1
        self.assertGreater(compared, 15)

    def one(self, network, inputs, outputs, folder):
        found, why = networks.run(NN, network, inputs, folder)
        if network.name in LEFT_OUT:
            self.assertIsNone(found)
            self.assertIn(LEFT_OUT[network.name], why)
            return
        self.assertIsNotNone(found, why)
        worst = networks.compare(found, outputs, alike=True)
        self.assertTrue(worst.passes(network), worst)


if __name__ == '__main__':
    unittest.main()
