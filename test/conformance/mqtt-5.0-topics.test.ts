// MQTT 5.0, section 4.7: topic names and filters.
import { describe, expect, it } from 'vitest';
import { World5 } from './mqtt-5.0-client.js';
import { publish, subscribe } from './mqtt-5.0-wire.js';

const NAMES = ['a', 'a/b', 'a/b/c', '/', '/a', 'a/', 'a//b', 'A', 'a b', ' a', '$SYS/x', '$', '$a/b', 'é', 'e\u0301'];

/** Each filter and which of NAMES it takes in. */
const MATCHES: readonly (readonly [string, readonly string[]])[] = [
  ['#', ['a', 'a/b', 'a/b/c', '/', '/a', 'a/', 'a//b', 'A', 'a b', ' a', 'é', 'e\u0301']],
  ['+', ['a', 'A', 'a b', ' a', 'é', 'e\u0301']],
  ['+/+', ['a/b', '/', '/a', 'a/']],
  ['a/#', ['a', 'a/b', 'a/b/c', 'a/', 'a//b']],
  ['a/+', ['a/b', 'a/']],
  ['a/+/#', ['a/b', 'a/b/c', 'a/', 'a//b']],
  ['+/b/#', ['a/b', 'a/b/c']],
  ['/+', ['/', '/a']],
  ['/#', ['/', '/a']],
  ['/', ['/']],
  ['a', ['a']],
  ['a/', ['a/']],
  ['a//b', ['a//b']],
  ['a/+/b', ['a//b']],
  ['+/', ['/', 'a/']],
  ['$SYS/#', ['$SYS/x']],
  ['$SYS/+', ['$SYS/x']],
  ['+/x', []],
  ['$', ['$']],
  ['$a/+', ['$a/b']],
  ['é', ['é']],
];

describe('a filter', () => {
  it.each(MATCHES)(
    '"%s" takes in exactly what it should [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.2-1] [MQTT-4.7.3-4] [MQTT-3.3.2-3]',
    (filter, expected) => {
      const world = new World5();
      const reader = world.reader('reader', filter);
      // The host may publish anywhere, also where a client may not.
      for (const topic of NAMES) {
        world.broker.publish({ topic, payload: new Uint8Array(), qos: 0, retain: false }, world.now);
      }
      expect(reader.messages().map(({ topic }) => topic)).toEqual(expected);
    },
  );

  it.each(MATCHES)('"%s" takes in the same of what was retained [MQTT-4.7.2-1] [MQTT-3.3.1-9]', (filter, expected) => {
    const world = new World5();
    for (const topic of NAMES) {
      world.broker.publish({ topic, payload: Uint8Array.of(1), qos: 0, retain: true }, world.now);
    }
    const topics = world
      .reader('reader', filter)
      .messages()
      .map(({ topic }) => topic);
    expect(topics.sort()).toEqual([...expected].sort());
  });

  it('and a name may have 65,535 bytes [MQTT-4.7.3-3]', () => {
    const world = new World5();
    const topic = `${'é'.repeat(32_767)}x`;
    const reader = world.reader('reader', topic);
    world.join('p').publish(topic, 'far');
    expect(reader.message()).toMatchObject({ topic, payload: 'far' });
  });

  it('is not changed by the broker: what is alike to the eye is not the same [MQTT-4.7.3-4]', () => {
    const world = new World5();
    const reader = world.reader('reader', 'caf\u00e9');
    const publisher = world.join('p');
    publisher.publish('cafe\u0301', 'decomposed');
    publisher.publish('CAF\u00c9', 'upper');
    publisher.publish('caf\u00e9', 'same');
    expect(reader.payloads()).toEqual(['same']);
  });
});

describe('a name', () => {
  it.each(['a/#', '#', '+', 'a/+/b', 'a+', 'a#b'])('has no wildcards: "%s" [MQTT-4.7.0-1] [MQTT-3.3.2-2]', (topic) => {
    const world = new World5();
    const reader = world.reader('reader', '#');
    world.join('c').say(publish(topic)).ended(0x90, 0x81, 0x82);
    reader.isWell();
  });

  it('has at least one character [MQTT-4.7.3-1]', () => {
    const world = new World5();
    world.join('c').say(publish('')).ended(0x82, 0x90, 0x81);
    const client = world.join('d');
    client.say(subscribe(1, [{ filter: '' }]));
    const [answer] = client.take();
    if (answer?.type === 'suback') expect(answer.reasons).toEqual([0x8f]);
    else expect(answer).toMatchObject({ type: 'disconnect' });
  });
});
