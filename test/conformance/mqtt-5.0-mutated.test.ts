// MQTT 5.0, section 4.13: whatever a client says, the broker answers in correct packets or ends that connection, and nobody else
// notices. Conversations that are right, changed at random places.
import { describe, expect, it } from 'vitest';
import { between, Xoshiro128 } from '../../host/core/random.js';
import { ACCEPTED, Door } from './mqtt-5.0-access.js';
import { type Client5, World5 } from './mqtt-5.0-client.js';
import {
  ack,
  auth,
  type ConnectIn,
  connect,
  disconnect,
  join,
  PINGREQ,
  publish,
  subscribe,
  unsubscribe,
} from './mqtt-5.0-wire.js';

const OPTIONS: ConnectIn = {
  keepAliveS: 60,
  username: 'user',
  password: 'password',
  will: { topic: 'will', payload: 'w', qos: 1, properties: { willDelayS: 1, contentType: 'c' } },
  properties: { sessionExpiryS: 60, topicAliasMaximum: 2, maximumPacketSize: 200, authenticationMethod: 'm' },
};

const PROPERTIES = {
  payloadFormat: 1,
  messageExpiryS: 60,
  contentType: 'c',
  responseTopic: 'r',
  correlationData: 'd',
  topicAlias: 3,
  userProperties: [['n', 'v']],
} as const;

const CONVERSATION: readonly Uint8Array[] = [
  subscribe(
    1,
    [
      { filter: 'a/+', qos: 2 },
      { filter: '$share/g/a', qos: 1, retainAsPublished: true },
    ],
    {
      subscriptionIds: [300],
      userProperties: [['n', 'v']],
    },
  ),
  publish('a/b', 'payload', { qos: 2, id: 2, retain: true, properties: PROPERTIES }),
  ack('pubrel', 2, 0, { reasonString: 'r' }),
  publish('', 'again', { qos: 1, id: 3, properties: { topicAlias: 3 } }),
  ack('pubrec', 1, 0),
  ack('pubcomp', 1, 0, { userProperties: [['n', 'v']] }),
  ack('puback', 2, 0x10),
  publish('a', 'x'),
  unsubscribe(4, ['a/+', 'none']),
  auth(0x19, { authenticationMethod: 'm', authenticationData: 'd' }),
  PINGREQ,
  disconnect(0x04, { sessionExpiryS: 10, reasonString: 'bye' }),
];

/** One to four changes: a byte that is another, one that is missing, one that is new, or an end that comes early. */
function mutate(right: Uint8Array, random: Xoshiro128): Uint8Array {
  const bytes = [...right];
  for (let i = between(random, 1, 4); i > 0 && bytes.length > 0; i--) {
    const at = between(random, 0, bytes.length - 1);
    const kind = between(random, 0, 9);
    if (kind < 6) bytes[at] = between(random, 0, 1) === 0 ? between(random, 0, 255) : bytes[at]! ^ (1 << (i + 2));
    else if (kind < 8) bytes.splice(at, 1);
    else if (kind < 9) bytes.splice(at, 0, between(random, 0, 255));
    else bytes.length = at;
  }
  return Uint8Array.from(bytes);
}

function scene(): { world: World5; other: Client5 } {
  const world = new World5({ access: new Door(ACCEPTED), connectTimeoutMs: 1_000 });
  return { world, other: world.reader('other', '#', 0) };
}

/** The others go on: one hears what the mutant has published, and is answered. */
function expectPeace(other: Client5): void {
  for (const { type } of other.take()) expect(type).toBe('publish');
  other.isWell();
}

describe('bytes at random', () => {
  const seeds = Array.from({ length: 10 }, (_, i) => i + 1);

  it.each(seeds)('behind a CONNECT bring correct packets or the end: seed %i [MQTT-4.13.1-1]', (seed) => {
    const random = new Xoshiro128(seed);
    const { world, other } = scene();
    for (let round = 0; round < 200; round++) {
      const mutant = world.join('mutant', OPTIONS);
      mutant.say(mutate(join(...CONVERSATION), random));
      // Client5 reads strictly: codes, properties, sizes, windows, nothing behind DISCONNECT.
      mutant.take();
      if (!mutant.isClosed) mutant.drop();
      world.pass(between(random, 0, 2_000));
      expectPeace(other);
    }
  });

  it.each(seeds)('one packet at a time bring correct packets or the end: seed %i [MQTT-4.13.1-1]', (seed) => {
    const random = new Xoshiro128(seed);
    const { world, other } = scene();
    for (let round = 0; round < 100; round++) {
      const mutant = world.join('mutant', OPTIONS);
      for (const right of CONVERSATION) {
        mutant.say(between(random, 0, 5) === 0 ? mutate(right, random) : right);
        mutant.take();
      }
      if (!mutant.isClosed) mutant.drop();
      expectPeace(other);
    }
  });

  it.each(seeds)('in a CONNECT bring an answer or the end, in time: seed %i [MQTT-3.1.4-1]', (seed) => {
    const random = new Xoshiro128(seed);
    const { world, other } = scene();
    for (let round = 0; round < 200; round++) {
      const mutant = world.open();
      const written: Uint8Array[] = [];
      mutant.onBytes = (chunk) => written.push(chunk);
      mutant.say(mutate(connect('mutant', OPTIONS), random));
      world.pass(1_000);
      // It may have become one of another version, which is answered in other words.
      if (!mutant.isClosed) expect(join(...written)[0]).toBe(0x20);
      if (!mutant.isClosed) mutant.drop();
      world.pass(2_000);
      expectPeace(other);
    }
  });
});
