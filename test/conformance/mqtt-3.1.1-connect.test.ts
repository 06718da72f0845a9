// MQTT 3.1.1, sections 3.1 and 3.2: CONNECT, and the CONNACK that answers it.
import { describe, expect, it } from 'vitest';
import { type ConnectFields, frame, fromHex, string, type TestClient, textOf, World } from './client.js';

const WILL = 0x04;
const WILL_RETAIN = 0x20;
const PASSWORD = 0x40;
const USER_NAME = 0x80;
const CLEAN = 0x02;
const willQos = (qos: number): number => qos << 3;

interface RawConnect {
  readonly name?: string;
  readonly level?: number;
  /** CLEAN where absent. */
  readonly flags?: number;
  /** Strings with their lengths. */
  readonly fields?: readonly Buffer[];
}

/** A CONNECT as right or as wrong as a test wants it. */
function raw({ name = 'MQTT', level = 4, flags = CLEAN, fields = [string('a')] }: RawConnect = {}): Buffer {
  return frame(0x10, Buffer.concat([string(name), Uint8Array.of(level, flags, 0, 0), ...fields]));
}

/** The CONNECT closes its connection without a CONNACK, and leaves nothing: no session, and no will. */
function endsIt(connect: RawConnect): void {
  const world = new World();
  const watcher = world.subscriber('w', '#');
  world.dial().sayBytes(raw(connect)).hearsClose();
  expect(world.connect('a', { clean: false }).connack.sessionPresent).toBe(false);
  watcher.hearsNothing();
}

/** The CONNECT is accepted. */
function isTaken(connect: RawConnect): TestClient {
  return new World().dial().sayBytes(raw(connect)).accepted();
}

const will = (fields: NonNullable<ConnectFields['will']>): ConnectFields => ({ will: fields });
const GONE = { topic: 'gone', payload: 'a' } as const;

describe('The first packet', () => {
  it.each(['30 03 00 01 74', '82 06 00 01 00 01 74 00', '40 02 00 01', 'c0 00', 'e0 00', '20 02 00 00', '00 00'])(
    'is CONNECT and not %s [MQTT-3.1.0-1]',
    (bytes) => {
      const world = new World();
      const watcher = world.subscriber('w', '#');
      world
        .dial()
        .sayBytes(Buffer.concat([fromHex(bytes), raw()]))
        .hearsClose();
      watcher.hearsNothing();
    },
  );

  it('is the only CONNECT [MQTT-3.1.0-2]', () => {
    const world = new World();
    const watcher = world.subscriber('w', '#');
    const other = world.connect('other');
    for (const id of ['a', 'other', 'new']) {
      const client = world.connect('a', will(GONE));
      client.connect(id).hearsClose();
      expect(watcher.texts()).toEqual(['a']);
    }
    expect(other.isClosed).toBe(false);
  });

  it('of the broker is CONNACK [MQTT-3.2.0-1]', () => {
    const world = new World();
    world.subscriber('s', 't', 2, { clean: false }).drop();
    world.connect('p').deliver('t', 'waiting', { qos: 2 });
    const client = world.dial();
    client.hearsNothing();
    world.pass(1_000);
    client.hearsNothing();
    const rest = Buffer.concat([fromHex('30 05 00 01 74 61 62'), fromHex('c0 00')]);
    const connect = raw({ flags: 0, fields: [string('s')] });
    client.sayBytes(Buffer.concat([connect, rest]));
    expect(client.take().map(({ cmd }) => cmd)).toEqual(['connack', 'publish', 'publish', 'pingresp']);
  });
});

describe('A CONNECT', () => {
  it.each(['', 'mqtt', 'MQTS', 'MQTTX', 'HTTP'])(
    'of a protocol called %s is closed without CONNACK [MQTT-3.1.2-1]',
    (name) => {
      endsIt({ name });
    },
  );

  it('of another protocol disturbs no client of its identifier [MQTT-3.1.2-1] [MQTT-3.2.2-6]', () => {
    const world = new World();
    const client = world.connect('a');
    world
      .dial()
      .sayBytes(raw({ name: 'MQTS' }))
      .hearsClose();
    expect(client.isClosed).toBe(false);
  });

  it.each([0, 1, 2, 3])('of MQTT at level %i is refused with 0x01, and closed [MQTT-3.1.2-2]', (level) => {
    const client = new World().dial().sayBytes(raw({ level }));
    expect(client.takeBytes()).toEqual(['20 02 00 01']);
    client.hearsClose();
  });

  it('with the reserved flag is closed [MQTT-3.1.2-3]', () => {
    isTaken({ flags: CLEAN });
    endsIt({ flags: CLEAN | 0x01 });
    endsIt({ flags: 0x01 });
  });

  it('that is cut short, or has more than its fields, is closed without CONNACK [MQTT-3.1.4-1]', () => {
    const whole = raw({
      flags: CLEAN | WILL | USER_NAME | PASSWORD,
      fields: ['a', 't', 'm', 'u', 'p'].map((text) => string(text)),
    });
    new World().dial().sayBytes(whole).accepted();
    const body = whole.subarray(2);
    for (let bytes = 0; bytes < body.length; bytes++) {
      new World()
        .dial()
        .sayBytes(frame(0x10, body.subarray(0, bytes)))
        .hearsClose();
    }
    new World()
      .dial()
      .sayBytes(frame(0x10, Buffer.concat([body, Uint8Array.of(0)])))
      .hearsClose();
  });

  it('that is in order is answered with 0 [MQTT-3.1.4-4]', () => {
    expect(new World().dial().connect('a').takeBytes()).toEqual(['20 02 00 00']);
  });
});

describe('The fields of CONNECT', () => {
  const ALL = CLEAN | WILL | USER_NAME | PASSWORD | willQos(1);

  it('are in their order [MQTT-3.1.3-1] [MQTT-3.1.3-3]', () => {
    const world = new World();
    const watcher = world.subscriber('w', '#');
    const fields = ['id', 'will-topic', 'will-message', 'user', 'password'].map((text) => string(text));
    const client = world
      .dial()
      .sayBytes(raw({ flags: ALL, fields }))
      .accepted();
    client.drop();
    const [message] = watcher.messages();
    expect(message).toMatchObject({ topic: 'will-topic', payload: Buffer.from('will-message') });
    const other = world.connect('id');
    world.connect('id');
    expect(other.isClosed).toBe(true);
  });

  it('begin with the client identifier [MQTT-3.1.3-3]', () => {
    isTaken({ fields: [string('')] });
    endsIt({ fields: [] });
  });

  it('have a will topic and a will message where there is a will [MQTT-3.1.2-9]', () => {
    isTaken({ flags: CLEAN | WILL, fields: [string('a'), string('t'), string('')] });
    endsIt({ flags: CLEAN | WILL });
    endsIt({ flags: CLEAN | WILL, fields: [string('a'), string('t')] });
  });

  it('have none of these where there is no will [MQTT-3.1.2-11]', () => {
    endsIt({ fields: [string('a'), string('t'), string('m')] });
    endsIt({ flags: CLEAN | USER_NAME, fields: ['a', 't', 'm', 'u'].map((text) => string(text)) });
  });

  it.each([1, 2, 3])('have no will QoS %i where there is no will [MQTT-3.1.2-11] [MQTT-3.1.2-13]', (qos) => {
    endsIt({ flags: CLEAN | willQos(qos) });
  });

  it('have no will retain where there is no will [MQTT-3.1.2-11] [MQTT-3.1.2-15]', () => {
    endsIt({ flags: CLEAN | WILL_RETAIN });
  });

  it('have no will QoS of 3 [MQTT-3.1.2-14]', () => {
    const fields = ['a', 't', 'm'].map((text) => string(text));
    for (const qos of [0, 1, 2]) isTaken({ flags: CLEAN | WILL | willQos(qos), fields });
    endsIt({ flags: CLEAN | WILL | willQos(3), fields });
  });

  it('have no user name without its flag [MQTT-3.1.2-18]', () => {
    endsIt({ fields: [string('a'), string('u')] });
  });

  it('have a user name with its flag [MQTT-3.1.2-19]', () => {
    isTaken({ flags: CLEAN | USER_NAME, fields: [string('a'), string('')] });
    endsIt({ flags: CLEAN | USER_NAME });
  });

  it('have no password without its flag [MQTT-3.1.2-20]', () => {
    endsIt({ flags: CLEAN | USER_NAME, fields: [string('a'), string('u'), string('p')] });
  });

  it('have a password with its flag [MQTT-3.1.2-21]', () => {
    isTaken({ flags: CLEAN | USER_NAME | PASSWORD, fields: [string('a'), string('u'), string(fromHex('ff 00'))] });
    endsIt({ flags: CLEAN | USER_NAME | PASSWORD, fields: [string('a'), string('u')] });
  });

  it('have no password without a user name [MQTT-3.1.2-22]', () => {
    endsIt({ flags: CLEAN | PASSWORD, fields: [string('a'), string('p')] });
  });

  const BAD_TEXTS = [fromHex('c3 28'), fromHex('ed a0 80'), Buffer.from('a\0b')];

  it('have a client identifier in UTF-8 [MQTT-3.1.3-4]', () => {
    isTaken({ fields: [string('aü€😀')] });
    for (const text of BAD_TEXTS) endsIt({ fields: [string(text)] });
  });

  it('have a will topic in UTF-8 [MQTT-3.1.3-10]', () => {
    isTaken({ flags: CLEAN | WILL, fields: [string('a'), string('ü€😀'), string('m')] });
    for (const text of BAD_TEXTS) endsIt({ flags: CLEAN | WILL, fields: [string('a'), string(text), string('m')] });
  });

  it('have a user name in UTF-8 [MQTT-3.1.3-11]', () => {
    isTaken({ flags: CLEAN | USER_NAME, fields: [string('a'), string('ü€😀')] });
    for (const text of BAD_TEXTS) endsIt({ flags: CLEAN | USER_NAME, fields: [string('a'), string(text)] });
  });
});

/** The ways in which a connection comes to its end; its keep-alive is 10 s. */
const LOSSES: readonly ((client: TestClient, world: World) => void)[] = [
  (client) => client.drop(),
  (client) => client.sayBytes('f0 00').hearsClose(),
  (client) => client.sayBytes('82 02 00 01').hearsClose(),
  (client) => client.sayBytes('32 05 00 01 74 00 00').hearsClose(),
  (_, world) => world.pass(15_000),
];
const ENDS = [...LOSSES, (client: TestClient) => client.disconnect().hearsClose()];

describe('A session', () => {
  it('goes on where neither CONNECT was for a clean one [MQTT-3.1.2-4] [MQTT-3.1.4-3] [MQTT-3.2.2-2]', () => {
    const world = new World();
    world.subscriber('s', 't', 1, { clean: false }).disconnect();
    const client = world.dial().connect('s', { clean: false });
    expect(client.takeBytes()).toEqual(['20 02 01 00']);
    world.connect('p').publish('t', 'x');
    expect(client.texts()).toEqual(['x']);
  });

  it('is kept after any end of its connection [MQTT-3.1.2-4]', () => {
    for (const end of ENDS) {
      const world = new World();
      end(world.subscriber('s', 't', 0, { clean: false, keepalive: 10 }), world);
      const client = world.connect('s', { clean: false });
      expect(client.connack.sessionPresent).toBe(true);
      world.connect('p').publish('t', 'x');
      expect(client.texts()).toEqual(['x']);
    }
  });

  it('is kept for as long as it takes [MQTT-3.1.2-4]', () => {
    const world = new World();
    world.connect('s', { clean: false }).drop();
    world.pass(100 * 365 * 86_400_000);
    expect(world.connect('s', { clean: false }).connack.sessionPresent).toBe(true);
  });

  it('gathers QoS 1 and 2 while its client is away, whyever that is [MQTT-3.1.2-5]', () => {
    for (const end of ENDS) {
      const world = new World();
      const before = world.subscriber('s', 't/#', 2, { clean: false, keepalive: 10 });
      end(before, world);
      const publisher = world.connect('p');
      for (const qos of [1, 2] as const) publisher.deliver(`t/${qos}`, `${qos}`, { qos });
      publisher.disconnect();
      before.hearsNothing();
      expect(world.connect('s', { clean: false }).collect()).toMatchObject([
        { topic: 't/1', payload: Buffer.from('1'), qos: 1, dup: false },
        { topic: 't/2', payload: Buffer.from('2'), qos: 2, dup: false },
      ]);
    }
  });

  it('that is clean begins without subscriptions, without messages and unacknowledged ones [MQTT-3.1.2-6] [MQTT-3.1.4-3]', () => {
    const world = new World();
    const before = world.subscriber('s', 't', 2, { clean: false });
    const publisher = world.connect('p');
    publisher.deliver('t', 'sent', { qos: 1 });
    before.hears('publish');
    before.publish('u', '', { qos: 2, messageId: 9 });
    before.drop();
    publisher.deliver('t', 'waits', { qos: 1 });
    const client = world.dial().connect('s', { clean: true });
    expect(client.takeBytes()).toEqual(['20 02 00 00']);
    publisher.deliver('t', 'new', { qos: 1 });
    client.hearsNothing();
    const watcher = world.subscriber('w', 'u');
    client.publish('u', 'another', { qos: 2, messageId: 9, dup: true });
    expect(watcher.texts()).toEqual(['another']);
  });

  it('that is clean leaves nothing to the next one [MQTT-3.1.2-6]', () => {
    const world = new World();
    const clean = world.subscriber('s', 't', 2);
    world.connect('p').deliver('t', 'sent', { qos: 1 });
    clean.hears('publish');
    clean.drop();
    world.connect('p').deliver('t', 'away', { qos: 1 });
    const client = world.dial().connect('s', { clean: false });
    expect(client.takeBytes()).toEqual(['20 02 00 00']);
    world.connect('p').deliver('t', 'new', { qos: 1 });
    client.hearsNothing();
  });

  it('that is clean leaves nothing of the one before it to the next one [MQTT-3.1.2-6]', () => {
    const world = new World();
    world.subscriber('s', 't', 1, { clean: false }).drop();
    world.connect('s', { clean: true }).disconnect();
    world.connect('p').deliver('t', 'new', { qos: 1 });
    const client = world.dial().connect('s', { clean: false });
    expect(client.takeBytes()).toEqual(['20 02 00 00']);
  });

  it('leaves what was retained, whichever way it ends [MQTT-3.1.2-7]', () => {
    const world = new World();
    const clean = world.connect('c');
    clean.deliver('t/1', 'one', { qos: 1, retain: true });
    clean.disconnect();
    const persistent = world.connect('p', { clean: false });
    persistent.deliver('t/2', 'two', { qos: 1, retain: true });
    persistent.drop();
    world.connect('p', { clean: true }).disconnect();
    expect(world.subscriber('s', 't/+').texts().sort()).toEqual(['one', 'two']);
  });

  it('belongs to its client identifier [MQTT-3.1.3-2]', () => {
    const world = new World();
    world.subscriber('a', 'to/a', 1, { clean: false }).drop();
    world.subscriber('A', 'to/A', 1, { clean: false }).drop();
    const publisher = world.connect('p');
    publisher.deliver('to/a', 'a', { qos: 1 });
    publisher.deliver('to/A', 'A', { qos: 1 });
    expect(world.connect('A', { clean: false }).texts()).toEqual(['A']);
    expect(world.connect('a', { clean: false }).texts()).toEqual(['a']);
    expect(world.connect('a ', { clean: false }).connack.sessionPresent).toBe(false);
  });
});

describe('A client identifier', () => {
  it('may have 1 to 23 digits and letters [MQTT-3.1.3-5]', () => {
    const world = new World();
    const letters = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
    const ids = [letters.slice(0, 23), letters.slice(23, 46), letters.slice(46), 'a', 'Z', '0'];
    for (let length = 2; length < 23; length++) ids.push(letters.slice(1, 1 + length));
    const clients = ids.map((id) => world.connect(id));
    expect(clients.filter(({ isClosed }) => isClosed)).toEqual([]);
  });

  it('that is empty is replaced by one that nobody has, and the client is one like others [MQTT-3.1.3-6]', () => {
    const world = new World();
    const clients = [1, 2, 3].map(() => world.subscriber('', 't', 1));
    expect(clients.map(({ isClosed }) => isClosed)).toEqual([false, false, false]);
    clients[0]!.deliver('t', 'x', { qos: 0 });
    for (const client of clients) expect(client.texts()).toEqual(['x']);
  });

  it('that is empty is refused with 0x02 without CleanSession, and closed [MQTT-3.1.3-8] [MQTT-3.1.3-9]', () => {
    const client = new World().dial().sayBytes(raw({ flags: 0, fields: [string('')] }));
    expect(client.takeBytes()).toEqual(['20 02 00 02']);
    client.hearsClose();
  });

  it('that has a connection closes that one [MQTT-3.1.4-2]', () => {
    const world = new World();
    for (const clean of [true, false]) {
      const [older, other] = [world.connect('a', { clean }), world.connect('b', { clean })];
      const newer = world.connect('a', { clean });
      older.hearsClose();
      expect([newer.isClosed, other.isClosed]).toEqual([false, false]);
      older.sayBytes('c0 00').hearsNothing();
      newer.ping().hears('pingresp');
    }
  });
});

describe('A refusal', () => {
  it('is the end: nothing that follows CONNECT counts [MQTT-3.1.4-5] [MQTT-3.2.2-5]', () => {
    const world = new World();
    const watcher = world.subscriber('w', '#');
    const publish = frame(0x31, Buffer.concat([string('t'), Buffer.from('x')]));
    const client = world.dial().sayBytes(Buffer.concat([raw({ level: 1 }), publish, raw()]));
    client.sayBytes(publish);
    expect(client.takeBytes()).toEqual(['20 02 00 01']);
    client.hearsClose();
    watcher.hearsNothing();
    world.subscriber('later', '#').hearsNothing();
  });

  it('has Session Present 0, whatever session there is, and leaves that one alone [MQTT-3.2.2-4]', () => {
    const world = new World();
    world.subscriber('a', 't', 1, { clean: false }).drop();
    const client = world.dial().sayBytes(raw({ level: 1, flags: 0 }));
    expect(client.takeBytes()).toEqual(['20 02 00 01']);
    client.hearsClose();
    expect(world.connect('a', { clean: false }).connack.sessionPresent).toBe(true);
  });
});

describe('Session Present', () => {
  it('is 0 where CleanSession is 1, whatever there was [MQTT-3.2.2-1]', () => {
    const world = new World();
    world.connect('a', { clean: false }).disconnect();
    for (let i = 0; i < 2; i++) {
      const client = world.dial().connect('a', { clean: true });
      expect(client.takeBytes()).toEqual(['20 02 00 00']);
    }
  });

  it('is 0 where nothing was kept [MQTT-3.2.2-3]', () => {
    const world = new World();
    world.connect('b', { clean: false }).disconnect();
    expect(world.dial().connect('a', { clean: false }).takeBytes()).toEqual(['20 02 00 00']);
  });

  it('is 1 where a session was kept, also without subscriptions [MQTT-3.2.2-2]', () => {
    const world = new World();
    world.connect('a', { clean: false }).disconnect();
    expect(world.dial().connect('a', { clean: false }).takeBytes()).toEqual(['20 02 01 00']);
  });
});

describe('The keep-alive', () => {
  const MS = 1_000;

  it.each([1, 10, 65_535])(
    'of %i s ends a connection at one and a half times of silence [MQTT-3.1.2-24]',
    (keepalive) => {
      const world = new World();
      const watcher = world.subscriber('w', '#');
      const client = world.connect('a', { keepalive, will: GONE });
      world.pass(keepalive * 1.5 * MS - 1);
      expect(client.isClosed).toBe(false);
      world.pass(1);
      client.hearsClose();
      expect(watcher.texts()).toEqual(['a']);
    },
  );

  it('counts from any packet of the client’s, and from none of the broker’s [MQTT-3.1.2-24]', () => {
    const world = new World();
    const client = world.subscriber('a', 't', 1, { keepalive: 10 });
    const publisher = world.connect('p');
    for (const say of [() => client.ping(), () => client.publish('u'), () => client.ack('puback', 99)]) {
      world.pass(14_999);
      say();
    }
    client.take();
    world.pass(10_000);
    publisher.publish('t', 'x');
    expect(client.texts()).toEqual(['x']);
    world.pass(4_999);
    expect(client.isClosed).toBe(false);
    world.pass(1);
    client.hearsClose();
  });

  it('of 0 never ends one [MQTT-3.1.2-24]', () => {
    const world = new World();
    const client = world.connect('a', { keepalive: 0 });
    world.pass(10 * 86_400 * MS);
    client.ping().hears('pingresp');
  });
});

describe('A will', () => {
  it.each([true, false])(
    'is published when the connection ends without DISCONNECT, CleanSession being %s [MQTT-3.1.2-8]',
    (clean) => {
      const takeOver = (_: TestClient, world: World): void => void world.connect('a', { clean });
      for (const end of [...LOSSES, takeOver]) {
        const world = new World();
        const watcher = world.subscriber('w', '#');
        for (let times = 0; times < 2; times++) {
          const client = world.connect('a', { clean, keepalive: 10, will: GONE });
          client.publish('t', 'x');
          expect(watcher.texts()).toEqual(['x']);
          end(client, world);
          expect(watcher.messages()).toMatchObject([{ topic: 'gone', payload: Buffer.from('a') }]);
        }
      }
    },
  );

  it('has the QoS and the payload of CONNECT [MQTT-3.1.2-9]', () => {
    for (const qos of [0, 1, 2] as const) {
      const world = new World();
      const watcher = world.subscriber('w', '#', 2);
      const payload = fromHex('00 ff c3 28');
      world.connect('a', will({ topic: 'gone', payload, qos })).drop();
      expect(watcher.messages()).toMatchObject([{ topic: 'gone', payload, qos, retain: false, dup: false }]);
    }
  });

  it('is published once, and is not there for the next connection [MQTT-3.1.2-10]', () => {
    const world = new World();
    const watcher = world.subscriber('w', '#');
    world.connect('a', { clean: false, will: GONE }).drop();
    expect(watcher.texts()).toEqual(['a']);
    world.connect('a', { clean: false }).drop();
    watcher.hearsNothing();
  });

  it('is gone after DISCONNECT, also for the next connection [MQTT-3.1.2-10] [MQTT-3.14.4-3]', () => {
    const world = new World();
    const watcher = world.subscriber('w', '#');
    world.connect('a', { clean: false, keepalive: 10, will: GONE }).disconnect().hearsClose();
    world.pass(60_000);
    world.connect('a', { clean: false }).drop();
    watcher.hearsNothing();
  });

  it('is not there where CONNECT had none [MQTT-3.1.2-12]', () => {
    const world = new World();
    const watcher = world.subscriber('w', '#');
    world.connect('a').drop();
    world.connect('b').sayBytes('f0 00').hearsClose();
    watcher.hearsNothing();
  });

  it('that is not to be retained is not [MQTT-3.1.2-16]', () => {
    const world = new World();
    world.connect('p').publish('gone', 'of before', { retain: true });
    world.connect('a', will({ ...GONE, retain: false })).drop();
    expect(world.subscriber('later', '#').texts()).toEqual(['of before']);
  });

  it('that is to be retained is [MQTT-3.1.2-17]', () => {
    const world = new World();
    const watcher = world.subscriber('w', '#', 1);
    world.connect('a', will({ ...GONE, qos: 1, retain: true })).drop();
    expect(watcher.messages()).toMatchObject([{ topic: 'gone', retain: false }]);
    const later = world.subscriber('later', '#', 2);
    expect(later.messages().map(textOf)).toEqual(['a']);
    expect(world.subscriber('last', '#', 2).messages()).toMatchObject([{ topic: 'gone', qos: 1, retain: true }]);
  });
});
