// What a policy refuses, as clients of both versions hear it, and as the auditor does.
import type { MqttClient } from 'mqtt';
import { describe, expect, it } from 'vitest';
import type { IdentityConfig } from '../../host/identity/index.js';
import type { BrokerOptions } from '../../host/server/index.js';
import { allow, closed, deny, goodbye, NOT_GRANTED, World } from './broker-identity-world.js';

const world = new World();
/** What is in messages that are refused: nobody is told. */
const PAYLOAD = 'what the message says';

/** Everybody may do everything, but for what these say. */
const open = (limits: BrokerOptions['limits'], ...policies: ReturnType<typeof deny>[]): Promise<void> => {
  const identity: IdentityConfig = { anonymous: { policies: [allow(['*', '*']), ...policies] } };
  return world.open(identity, undefined, { ...(limits && { limits }) });
};

const grantedTo = async (client: MqttClient, filters: Record<string, { qos: 0 | 1 | 2 }>): Promise<unknown> => {
  try {
    return (await client.subscribeAsync(filters)).map(({ qos }) => qos);
  } catch (error) {
    return (error as { readonly packet: { readonly granted: unknown } }).packet.granted;
  }
};

describe('A filter that is refused', () => {
  it.each([
    [4, 0x80],
    [5, 0x87],
  ] as const)('gets its reason code among the others, by version %i', async (protocolVersion, refused) => {
    await open({}, deny(['Subscribe', 'topicfilter/secret/*', 'topicfilter/#']));
    const client = await world.join({ clientId: 'a', protocolVersion });
    const filters = { 'a/#': { qos: 1 }, 'secret/#': { qos: 2 }, '#': { qos: 0 }, b: { qos: 0 } } as const;
    expect(await grantedTo(client, filters)).toEqual([1, refused, refused, 0]);
    expect(world.client('a')!.subscriptions).toEqual(['a/#', 'b']);
    for (const filter of ['secret/#', '#']) {
      expect(await world.told('subscribe-denied', { filter })).toMatchObject({ level: 'warn', clientId: 'a' });
    }
  });

  it('is refused also where it is shared', async () => {
    await open({}, deny(['Subscribe', 'topicfilter/secret/*']));
    const client = await world.join();
    await expect(client.subscribeAsync('$share/g/secret/x')).rejects.toMatchObject(NOT_GRANTED);
    await client.subscribeAsync('$share/g/x');
  });
});

describe('A message that is refused', () => {
  it('is said to be, by MQTT 5.0, and reaches nobody', async () => {
    await open({}, deny(['Publish', 'topic/secret/*']));
    const { client: reader, ears } = await world.meet();
    await reader.subscribeAsync('#', { qos: 2 });
    const writer = await world.join({ clientId: 'w' });
    for (const qos of [1, 2] as const) {
      await expect(writer.publishAsync('secret/x', PAYLOAD, { qos })).rejects.toMatchObject({ code: 0x87 });
    }
    await writer.publishAsync('secret/x', PAYLOAD, { qos: 0, retain: true });
    await writer.publishAsync('x', 'last', { qos: 2 });
    expect(await ears.until('x last')).toEqual(['x last']);
    expect(world.running.counters.retainedNow).toBe(0);
    expect(world.log.filter(({ event }) => event === 'publish-denied')).toHaveLength(3);
    expect(await world.told('publish-denied')).toMatchObject({ level: 'warn', clientId: 'w', topic: 'secret/x' });
    world.keepsSecret(PAYLOAD);
  });

  it('is acknowledged and dropped before MQTT 5.0', async () => {
    await open({}, deny(['Publish', 'topic/secret/*']));
    const { client: reader, ears } = await world.meet();
    await reader.subscribeAsync('#', { qos: 2 });
    const writer = await world.join({ protocolVersion: 4 });
    for (const qos of [0, 1, 2] as const) await writer.publishAsync('secret/x', PAYLOAD, { qos });
    await writer.publishAsync('x', 'last', { qos: 2 });
    expect(await ears.until('x last')).toEqual(['x last']);
    expect(world.running.counters.droppedDenied).toBe(3);
  });

  it.each([4, 5] as const)(
    'ends the connection where the broker is told so, by version %i',
    async (protocolVersion) => {
      await open({ deniedPublish: 'disconnect' }, deny(['Publish', 'topic/secret/*']));
      const client = await world.join({ protocolVersion });
      const end = protocolVersion === 5 ? goodbye(client) : closed(client);
      client.publish('secret/x', PAYLOAD, { qos: 1 }, () => {});
      expect(await end).toBe(protocolVersion === 5 ? 0x87 : undefined);
      await world.told('publish-denied', { topic: 'secret/x' });
    },
  );

  it('to be retained needs to be allowed that, too; also where it takes one away', async () => {
    await open({}, deny(['RetainPublish', 'topic/x']));
    world.running.publish('x', 'kept', { retain: true });
    const client = await world.join();
    for (const payload of [PAYLOAD, '']) {
      await expect(client.publishAsync('x', payload, { qos: 1, retain: true })).rejects.toMatchObject({ code: 0x87 });
    }
    await client.publishAsync('x', PAYLOAD, { qos: 1 });
    expect(world.running.counters.retainedNow).toBe(1);
  });

  it('is refused also where its topic comes as an alias', async () => {
    await open({}, deny(['Publish', 'topic/secret']));
    const client = await world.join({ protocolVersion: 5 });
    const topicAlias = 1;
    await expect(client.publishAsync('secret', 'x', { qos: 1, properties: { topicAlias } })).rejects.toMatchObject({
      code: 0x87,
    });
    await expect(client.publishAsync('', 'x', { qos: 1, properties: { topicAlias } })).rejects.toMatchObject({
      code: 0x87,
    });
  });

  it('cannot be published below $SYS, whatever a policy says', async () => {
    await open({});
    const client = await world.join();
    for (const topic of ['$SYS', '$SYS/broker/uptime']) {
      await expect(client.publishAsync(topic, 'x', { qos: 1 })).rejects.toMatchObject({ code: 0x87 });
    }
  });
});

describe('A will that is refused', () => {
  const will = (topic: string, retain = false) => ({ topic, payload: Buffer.from(PAYLOAD), qos: 1, retain }) as const;

  it('keeps its client out', async () => {
    await open({}, deny(['Publish', 'topic/secret/*'], ['RetainPublish', '*']));
    expect(await world.refusal({ clientId: 'a', will: will('secret/x') })).toBe(0x87);
    expect(await world.refusal({ clientId: 'a', will: will('x', true) })).toBe(0x87);
    expect(await world.refusal({ clientId: 'a', will: will('secret/x'), protocolVersion: 4 })).toBe(5);
    await world.join({ clientId: 'a', will: will('x') });
    expect(world.running.counters.willsPublished).toBe(0);
    world.keepsSecret(PAYLOAD);
  });
});

describe('A message that may not be received', () => {
  it('does not come, though the filter takes it in', async () => {
    await open({}, deny(['Receive', 'topic/secret/*']));
    const { client, ears } = await world.meet({ clientId: 'a' });
    await client.subscribeAsync('#', { qos: 1 });
    world.running.publish('secret/x', PAYLOAD, { qos: 1 });
    world.running.publish('x', 'last', { qos: 1 });
    expect(await ears.until('x last')).toEqual(['x last']);
    expect(await world.told('receive-denied')).toMatchObject({ clientId: 'a', topic: 'secret/x' });
    expect(world.running.counters.droppedNotReceivable).toBe(1);
    world.keepsSecret(PAYLOAD);
  });

  it('does not come either where it was retained before', async () => {
    await open({}, deny(['Receive', 'topic/secret/*']));
    world.running.publish('secret/x', PAYLOAD, { retain: true, qos: 1 });
    world.running.publish('x', 'last', { retain: true, qos: 1 });
    const { client, ears } = await world.meet({ clientId: 'a' });
    await client.subscribeAsync('+/x', { qos: 1 });
    await client.subscribeAsync('x', { qos: 1 });
    expect(await ears.until('x last')).toEqual(['x last']);
    await world.told('receive-denied', { topic: 'secret/x' });
  });

  it('goes to another of those who share the filter', async () => {
    await open({}, deny(['Receive', `topic/\${iot:ClientId}`]));
    const [a, b] = [await world.meet({ clientId: 'a' }), await world.meet({ clientId: 'b' })];
    for (const { client } of [a, b]) await client.subscribeAsync('$share/g/#', { qos: 1 });
    for (let i = 0; i < 4; i++) world.running.publish('a', `${i}`, { qos: 1 });
    expect(await b.ears.until('a 3')).toEqual(['a 0', 'a 1', 'a 2', 'a 3']);
    expect(a.ears.heard).toEqual([]);
  });

  it('does not come where it was queued, once it is forbidden', async () => {
    await open({});
    const away = { clientId: 'a', clean: false, properties: { sessionExpiryInterval: 3_600 } };
    const first = await world.join(away);
    await first.subscribeAsync('#', { qos: 1 });
    await first.endAsync();
    world.running.publish('secret/x', PAYLOAD, { qos: 1 });
    world.running.publish('x', 'last', { qos: 1 });
    const policies = [allow(['*', '*']), deny(['Receive', 'topic/secret/*'])];
    world.running.reload({ identity: { anonymous: { policies } } });
    const { ears, connack } = await world.meet(away);
    expect(connack.sessionPresent).toBe(true);
    expect(await ears.until('x last')).toEqual(['x last']);
    await world.told('receive-denied', { topic: 'secret/x' });
  });
});
