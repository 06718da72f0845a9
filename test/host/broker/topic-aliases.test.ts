import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PublishPacket, publishPacket } from '../../../host/broker/packets.js';
import { ReasonCode } from '../../../host/broker/reason-codes.js';
import { IncomingAliases, OutgoingAliases } from '../../../host/broker/topic-aliases.js';

function publish(topic: string, topicAlias: number): PublishPacket {
  const message = { topic, payload: Uint8Array.of(1), qos: 1, retain: true } as const;
  const packet = publishPacket({ ...message, properties: undefined, expiresAt: 7 }, 1, true, 5, true);
  return { ...packet, topicAlias };
}

describe('the aliases of a client', () => {
  it('stand for the topic they were last given with', () => {
    const aliases = new IncomingAliases(2);
    const first = publish('a', 1);
    expect(aliases.resolve(first)).toBe(first);
    aliases.resolve(publish('b', 2));
    expect(aliases.resolve(publish('', 1))).toEqual(publish('a', 1));
    expect(aliases.resolve(publish('', 2))).toEqual(publish('b', 2));
    aliases.resolve(publish('c', 1));
    expect(aliases.resolve(publish('', 1))).toEqual(publish('c', 1));
  });

  it('leave packets alone that have none', () => {
    const packet = publish('a', 0);
    expect(new IncomingAliases(0).resolve(packet)).toBe(packet);
  });

  it('go up to the maximum', () => {
    expect(new IncomingAliases(2).resolve(publish('a', 3))).toBe(ReasonCode.TopicAliasInvalid);
    expect(new IncomingAliases(0).resolve(publish('a', 1))).toBe(ReasonCode.TopicAliasInvalid);
    expect(new IncomingAliases(2).resolve(publish('a', -1))).toBe(ReasonCode.TopicAliasInvalid);
  });

  it('stand for nothing before they are given', () => {
    const aliases = new IncomingAliases(10);
    aliases.resolve(publish('a', 9));
    expect(aliases.resolve(publish('', 8))).toBe(ReasonCode.ProtocolError);
    expect(aliases.resolve(publish('', 0))).toBe(ReasonCode.ProtocolError);
  });
});

describe('the aliases for a client', () => {
  it('are given with the topic once, then stand for it', () => {
    const aliases = new OutgoingAliases(2);
    expect(aliases.aliasFor('a')).toEqual({ alias: 1, isNew: true });
    expect(aliases.aliasFor('b')).toEqual({ alias: 2, isNew: true });
    expect(aliases.aliasFor('a')).toEqual({ alias: 1, isNew: false });
    expect(aliases.aliasFor('a')).toEqual({ alias: 1, isNew: false });
  });

  it('go from the topic that was used least recently to another', () => {
    const aliases = new OutgoingAliases(2);
    for (const topic of ['a', 'b', 'a']) aliases.aliasFor(topic);
    expect(aliases.aliasFor('c')).toEqual({ alias: 2, isNew: true });
    expect(aliases.aliasFor('a')).toEqual({ alias: 1, isNew: false });
    expect(aliases.aliasFor('b')).toEqual({ alias: 2, isNew: true });
  });

  it('are none where the client wants none', () => {
    expect(new OutgoingAliases(0).aliasFor('a')).toBeUndefined();
  });

  it('do what a list sorted by use would do', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 200 }),
        (max, uses) => {
          const aliases = new OutgoingAliases(max);
          const model: { topic: string; alias: number }[] = [];
          for (const use of uses) {
            const topic = `t${use}`;
            const at = model.findIndex((entry) => entry.topic === topic);
            const isNew = at < 0;
            const full = model.length === max;
            const entry = isNew
              ? { topic, alias: full ? model.shift()!.alias : model.length + 1 }
              : model.splice(at, 1)[0]!;
            model.push(entry);
            expect(aliases.aliasFor(topic)).toEqual({ alias: entry.alias, isNew });
          }
        },
      ),
    );
  });

  it('mean the same to the client that reads them', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { maxLength: 100 }), (topics) => {
        const out = new OutgoingAliases(3);
        const into = new IncomingAliases(3);
        for (const topic of topics) {
          const { alias, isNew } = out.aliasFor(topic)!;
          expect(into.resolve(publish(isNew ? topic : '', alias))).toMatchObject({ topic });
        }
      }),
    );
  });
});
