#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What Home Assistant is told: entities before the first plate, gone when they are renamed."""
import json
import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.integration.daemon import Case, Subscriber, wait_for              # noqa: E402

# What each component must and may hold, by the pages of Home Assistant's MQTT integration.
COMMON = {'name', 'unique_id', 'object_id', 'availability_topic', 'device', 'origin', 'icon',
          'entity_category'}
COMPONENTS = {
    'event': ({'state_topic', 'event_types'}, {'value_template'}),
    'sensor': ({'state_topic'}, {'value_template', 'device_class', 'unit_of_measurement',
                                 'state_class', 'json_attributes_topic'}),
    'binary_sensor': ({'state_topic'}, {'value_template', 'device_class'}),
    'image': ({'image_topic'}, {'content_type'}),
}


class Discovery(Case):
    def told(self, subscriber, name):
        """{topic: last payload} of the retained messages that a newcomer gets."""
        newcomer = Subscriber(subscriber, self.folder, pattern='other/#', name=name)
        self.addCleanup(newcomer.close)
        return newcomer

    def entities(self, newcomer):
        found = {}
        for _, topic, payload in newcomer.messages():
            component, node, entity = re.fullmatch(r'other/(\w+)/([\w-]+)/(\w+)/config', topic).groups()
            found[f'{component}/{node}/{entity}'] = payload
        return {k: json.loads(v) for k, v in found.items() if v}

    def test_entities(self):
        mosquitto = self.mosquitto()
        (self.folder / 'list.csv').write_text('ABC123\n')
        daemon = self.daemon(mosquitto.port, camera={'source': self.empty},
                             homeassistant={'prefix': 'other'},
                             access={'lists': self.folder / 'list.csv'})
        daemon.wait_said('connected to broker')
        first = self.told(mosquitto.port, 'first')
        wait_for(lambda: len(self.entities(first)) >= 9, 'entities')
        entities = self.entities(first)
        self.assertEqual(set(entities),
                         {'event/plated_gate/passage', 'sensor/plated_gate/plate',
                          'sensor/plated_gate/access', 'binary_sensor/plated_gate/camera',
                          'binary_sensor/plated_gate/throttled', 'sensor/plated_gate/fps',
                          'sensor/plated_gate/latency', 'sensor/plated_gate/temperature',
                          'sensor/plated_gate/backlog'})
        self.assertEqual(len({e['unique_id'] for e in entities.values()}), len(entities))
        for key, entity in entities.items():
            must, may = COMPONENTS[key.split('/')[0]]
            self.assertLessEqual(must, set(entity), key)
            self.assertLessEqual(set(entity), must | may | COMMON, key)
            self.assertEqual(entity['availability_topic'], 'plated/gate/availability')
            self.assertEqual(entity['device']['identifiers'], ['plated_gate'])
        # Another name: the entities of the old one go.
        daemon.configure(camera={'name': 'yard'}, snapshot={'publish': 'yes'})
        daemon.reload()
        second = self.told(mosquitto.port, 'second')
        wait_for(lambda: 'image/plated_yard/snapshot' in self.entities(second), 'the other name')
        self.assertTrue(all('/plated_yard/' in key for key in self.entities(second)))
        daemon.configure(homeassistant={'discovery': 'no'})
        daemon.reload()
        wait_for(lambda: not self.entities(second), 'the end of the entities')
        self.assertEqual(daemon.end(), 0)


if __name__ == '__main__':
    unittest.main()
