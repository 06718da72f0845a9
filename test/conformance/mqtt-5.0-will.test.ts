// MQTT 5.0, sections 3.1.2.5, 3.1.3.2 and 3.14.4: when the will is published, and as what.
import { describe, expect, it } from 'vitest';
import { type Client5, HOUR_MS, World5 } from './mqtt-5.0-client.js';
import { type ConnectIn, connect, disconnect, type Properties, publish, type WillIn } from './mqtt-5.0-wire.js';

const SECOND_MS = 1_000;

interface Scene {
  readonly world: World5;
  readonly watcher: Client5;
  readonly client: Client5;
}

/** `sessionExpiryS` is that of the client with the will. */
function scene(will: Partial<WillIn> = {}, sessionExpiryS = 0, options: ConnectIn = {}): Scene {
  const world = new World5();
  const watcher = world.reader('watcher', { filter: '#', qos: 2, retainAsPublished: true });
  const client = world.join('c', {
    will: { topic: 'will', payload: 'w', ...will },
    ...options,
    properties: { sessionExpiryS },
  });
  return { world, watcher, client };
}

const delayed = (willDelayS: number, more: Properties = {}): Partial<WillIn> => ({
  properties: { willDelayS, ...more },
});

describe('a will', () => {
  it('is published when the network fails, and once [MQTT-3.1.2-7] [MQTT-3.1.2-8] [MQTT-3.1.2-10]', () => {
    const { world, watcher, client } = scene();
    watcher.hearsNothing();
    client.drop();
    expect(watcher.payloads()).toEqual(['w']);
    world.join('c').drop();
    world.pass(HOUR_MS);
    watcher.hearsNothing();
  });

  it('is published when the client breaks a rule [MQTT-3.1.2-8]', () => {
    const { watcher, client } = scene();
    client.say(connect('c')).ended(0x82);
    expect(watcher.payloads()).toEqual(['w']);
  });

  it('is published when the client falls silent [MQTT-3.1.2-8]', () => {
    const { world, watcher, client } = scene({}, 0, { keepAliveS: 10 });
    world.pass(15 * SECOND_MS);
    client.ended(0x8d);
    expect(watcher.payloads()).toEqual(['w']);
  });

  it.each([undefined, 0])(
    'is taken back by DISCONNECT of reason %s [MQTT-3.14.4-3] [MQTT-3.1.2-8] [MQTT-3.1.2-10]',
    (reason) => {
      const { world, watcher, client } = scene();
      client.say(disconnect(reason)).isOver();
      world.pass(HOUR_MS);
      watcher.hearsNothing();
    },
  );

  it.each([0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99])(
    'is published on DISCONNECT of reason %i (3.14.2.1) [MQTT-3.1.2-8]',
    (reason) => {
      const { watcher, client } = scene();
      client.say(disconnect(reason)).isOver();
      expect(watcher.payloads()).toEqual(['w']);
    },
  );

  it.each([0x01, 0x87, 0x8b, 0x8e, 0x9c, 0xff])(
    'is published on DISCONNECT of a reason that no client may give: %i (3.14.2.1)',
    (reason) => {
      const { watcher, client } = scene();
      client.say(disconnect(reason)).ended(0x81, 0x82);
      expect(watcher.payloads()).toEqual(['w']);
    },
  );

  it.each([0, 1, 2])('has its own QoS: %i [MQTT-3.1.2-12]', (qos) => {
    const { watcher, client } = scene({ qos });
    client.drop();
    expect(watcher.message()).toMatchObject({ topic: 'will', payload: 'w', qos, dup: false });
  });

  it('without Will Retain is not retained [MQTT-3.1.2-14]', () => {
    const { world, watcher, client } = scene();
    client.drop();
    expect(watcher.message().retain).toBe(false);
    world.reader('late', '#').hearsNothing();
  });

  it('with Will Retain is retained [MQTT-3.1.2-15]', () => {
    const { world, watcher, client } = scene({ retain: true });
    client.drop();
    expect(watcher.message().retain).toBe(true);
    expect(world.reader('late', '#').message()).toMatchObject({ payload: 'w', retain: true });
  });

  it('with Will Retain and nothing in it removes what is retained (3.3.1.3)', () => {
    const { world, watcher, client } = scene({ retain: true, payload: '' });
    world.join('p').publish('will', 'old', { retain: true });
    watcher.take();
    client.drop();
    expect(watcher.message()).toMatchObject({ payload: '', retain: true });
    world.reader('late', '#').hearsNothing();
  });

  it('passes its properties on unaltered, user properties in their order [MQTT-3.1.3-10]', () => {
    const properties: Properties = {
      payloadFormat: 1,
      contentType: 'text/plain',
      responseTopic: 'answers',
      correlationData: 'which',
      userProperties: [
        ['b', '1'],
        ['a', '2'],
        ['b', '3'],
        ['', ''],
      ],
    };
    const { watcher, client } = scene({ properties });
    client.drop();
    expect(watcher.message().properties).toEqual(properties);
  });

  it('does not show its delay (3.1.3.2.2)', () => {
    const { world, watcher, client } = scene(delayed(10), 60);
    client.drop();
    world.pass(10 * SECOND_MS);
    expect(watcher.message().properties).toEqual({});
  });

  it('expires counted from its publication (3.1.3.2.4) [MQTT-3.3.2-6]', () => {
    const { world, client } = scene(delayed(10, { messageExpiryS: 20 }), 60);
    world.reader('sleeper', 'will', 1, { properties: { sessionExpiryS: 3_600 } }).drop();
    const late = world.reader('late', 'will', 1);
    client.drop();
    world.pass(10 * SECOND_MS);
    expect(late.message().properties).toEqual({ messageExpiryS: 20 });
  });

  it('that has expired is sent to nobody (3.1.3.2.4) [MQTT-3.3.2-5]', () => {
    const { world, client } = scene({ retain: true, properties: { messageExpiryS: 20 } });
    client.drop();
    world.pass(21 * SECOND_MS);
    world.reader('late', 'will').hearsNothing();
  });

  it('must have a topic name for a topic [MQTT-3.1.4-1] [MQTT-3.3.2-2]', () => {
    for (const topic of ['a/#', '+', '']) {
      const world = new World5();
      world
        .open()
        .connect('c', { will: { topic, payload: '' } })
        .turnedAway(0x81, 0x82, 0x90);
    }
  });

  it('must have a topic name for its response topic (3.1.3.2.6)', () => {
    const world = new World5();
    const will = { topic: 'will', payload: '', properties: { responseTopic: 'a/+' } };
    world.open().connect('c', { will }).turnedAway(0x81, 0x82, 0x90);
  });

  it('is published after what the client has said before [MQTT-3.1.2-8] [MQTT-4.6.0-5]', () => {
    const { watcher, client } = scene();
    client.publish('will', 'before');
    client.drop();
    expect(watcher.payloads()).toEqual(['before', 'w']);
  });

  it('is not heard by the client itself where its session has ended [MQTT-3.1.2-8]', () => {
    const { watcher, client } = scene();
    client.subscribe({ filter: 'will' });
    client.drop();
    expect(client.take()).toEqual([]);
    expect(watcher.payloads()).toEqual(['w']);
  });
});

describe('a will with a delay', () => {
  it('is published when the delay has passed [MQTT-3.1.2-8]', () => {
    const { world, watcher, client } = scene(delayed(10), 60);
    client.drop();
    world.pass(10 * SECOND_MS - 1);
    watcher.hearsNothing();
    world.pass(1);
    expect(watcher.payloads()).toEqual(['w']);
    world.pass(HOUR_MS);
    watcher.hearsNothing();
  });

  it('is not published where the client is back in time [MQTT-3.1.3-9] [MQTT-3.1.2-8]', () => {
    const { world, watcher, client } = scene(delayed(10), 60);
    client.drop();
    world.pass(9 * SECOND_MS);
    const back = world.join('c', { properties: { sessionExpiryS: 60 } });
    expect(back.connack.sessionPresent).toBe(true);
    world.pass(HOUR_MS);
    watcher.hearsNothing();
  });

  it('is published at once where the client is back in time and begins anew: the session has ended [MQTT-3.1.2-8]', () => {
    const { world, watcher, client } = scene(delayed(10), 60);
    client.drop();
    world.pass(1 * SECOND_MS);
    world.join('c', { clean: true });
    expect(watcher.payloads()).toEqual(['w']);
    world.pass(HOUR_MS);
    watcher.hearsNothing();
  });

  it('is published with the end of the session where that is earlier [MQTT-3.1.2-8]', () => {
    const { world, watcher, client } = scene(delayed(10), 5);
    client.drop();
    world.pass(5 * SECOND_MS - 1);
    watcher.hearsNothing();
    world.pass(1);
    expect(watcher.payloads()).toEqual(['w']);
    world.pass(HOUR_MS);
    watcher.hearsNothing();
  });

  it('is published at once where the session does not outlive the connection [MQTT-3.1.2-8]', () => {
    const { watcher, client } = scene(delayed(10), 0);
    client.drop();
    expect(watcher.payloads()).toEqual(['w']);
  });

  it('is taken back by DISCONNECT [MQTT-3.14.4-3]', () => {
    const { world, watcher, client } = scene(delayed(10), 60);
    client.say(disconnect(0x00)).isOver();
    world.pass(HOUR_MS);
    watcher.hearsNothing();
  });

  it('waits for it also after DISCONNECT with will (3.14.2.1)', () => {
    const { world, watcher, client } = scene(delayed(10), 60);
    client.say(disconnect(0x04)).isOver();
    watcher.hearsNothing();
    world.pass(10 * SECOND_MS);
    expect(watcher.payloads()).toEqual(['w']);
  });

  it('is published at once where DISCONNECT with will ends the session [MQTT-3.1.2-8]', () => {
    const { watcher, client } = scene(delayed(10), 60);
    client.say(disconnect(0x04, { sessionExpiryS: 0 })).isOver();
    expect(watcher.payloads()).toEqual(['w']);
  });

  it('of a connection that is taken over is not published [MQTT-3.1.3-9]', () => {
    const { world, watcher, client } = scene(delayed(10), 60);
    world.join('c', { properties: { sessionExpiryS: 60 } });
    client.ended(0x8e);
    world.pass(HOUR_MS);
    watcher.hearsNothing();
  });

  it('of a connection that is taken over by one that begins anew is published (3.1.4) [MQTT-3.1.2-8]', () => {
    const { world, watcher, client } = scene(delayed(10), 60);
    world.join('c', { clean: true });
    client.ended(0x8e);
    expect(watcher.payloads()).toEqual(['w']);
  });

  it('of none is published when the connection is taken over (3.1.4) [MQTT-3.1.2-8]', () => {
    const { world, watcher, client } = scene({}, 60);
    world.join('c', { properties: { sessionExpiryS: 60 } });
    client.ended(0x8e);
    expect(watcher.payloads()).toEqual(['w']);
  });

  it('gives way to the will of the next connection (3.1.2.5)', () => {
    const { world, watcher, client } = scene(delayed(10), 60);
    client.drop();
    const next: ConnectIn = {
      will: { topic: 'will', payload: 'second' },
      properties: { sessionExpiryS: 60 },
    };
    world.join('c', next).drop();
    world.pass(HOUR_MS);
    expect(watcher.payloads()).toEqual(['second']);
  });

  it('that is published is still queued for those who are away [MQTT-4.5.0-1]', () => {
    const { world, client } = scene({ qos: 1, ...delayed(10) }, 60);
    world.reader('sleeper', 'will', 1, { properties: { sessionExpiryS: 3_600 } }).drop();
    client.drop();
    world.pass(20 * SECOND_MS);
    expect(world.join('sleeper', { properties: { sessionExpiryS: 3_600 } }).payloads()).toEqual(['w']);
  });

  it('longer than time can be still ends with the session [MQTT-3.1.2-8]', () => {
    const { world, watcher, client } = scene(delayed(0xffff_ffff), 30);
    client.drop();
    world.pass(30 * SECOND_MS);
    expect(watcher.payloads()).toEqual(['w']);
  });

  it('is not lost where another client comes and goes [MQTT-3.1.2-8]', () => {
    const { world, watcher, client } = scene(delayed(10), 60);
    client.drop();
    const other = world.join('d', { will: { topic: 'will', payload: 'd' } });
    other.say(publish('t', 'x'), disconnect());
    world.pass(10 * SECOND_MS);
    expect(watcher.payloads()).toEqual(['x', 'w']);
  });
});
