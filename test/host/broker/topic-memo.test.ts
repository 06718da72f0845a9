// Topics of PUBLISH that are remembered: nothing is different the second time but the time that it takes.
import { describe, expect, it } from 'vitest';
import type { Level, PublishPacket } from '../../../host/broker/packets.js';
import { learnTopic, knownTopicIn as topicIn } from '../../../host/broker/topic-memo.js';
import { violationOf } from '../../../host/broker/violations.js';
import { decodeBytes, faultIn, generated, LEVELS, packetIn } from './codec-packets.js';

const publish = (topic: string | Buffer, level: Level, qos: 0 | 1 = 0): Buffer =>
  generated({ cmd: 'publish', topic, payload: 'x', qos, messageId: 7, retain: false, dup: false } as never, level);

const read = (bytes: Uint8Array, level: Level): PublishPacket => packetIn(bytes, level) as PublishPacket;

/** A PUBLISH of QoS 0 before MQTT 5.0 whose topic has these bytes; `saidBytes`: the length that it names. */
function withTopic(topic: Uint8Array, saidBytes = topic.length): Uint8Array {
  const body = Uint8Array.of(saidBytes >> 8, saidBytes & 0xff, ...topic);
  return Uint8Array.of(0x30, body.length, ...body);
}

describe('a topic', () => {
  it.each(LEVELS)('is the same the second time, for a client of level %i', (level) => {
    for (const topic of ['t', '/', 'a/b/c', 'größe/°C', '\ufeffbom', '€/𝄞', 'x'.repeat(128), 'x'.repeat(129)]) {
      for (const qos of [0, 1] as const) {
        const first = read(publish(topic, level, qos), level);
        expect(first.topic).toBe(topic);
        expect(read(publish(topic, level, qos), level)).toEqual(first);
      }
    }
  });

  it('comes with its levels where it is a valid name, and not too long to be remembered', () => {
    const levelsOf = (topic: string) => [1, 2].map(() => read(publish(topic, 4), 4).topicLevels);
    expect(levelsOf('a/b/c')).toEqual([3, 3]);
    expect(levelsOf('/')).toEqual([2, 2]);
    expect(levelsOf('y'.repeat(128))).toEqual([1, 1]);
    expect(levelsOf('y'.repeat(129))).toEqual([0, 0]);
    expect(levelsOf('a/#')).toEqual([0, 0]);
    expect(levelsOf('+')).toEqual([0, 0]);
  });

  it.each(LEVELS)('with a wildcard breaks the rule each time, for a client of level %i', (level) => {
    for (let time = 0; time < 3; time++) {
      expect(violationOf(read(publish('wild/+', level), level), level)?.clause).toBe('MQTT-3.3.2-2');
    }
  });

  it('that is empty breaks the rule each time', () => {
    for (let time = 0; time < 3; time++) expect(violationOf(read(withTopic(new Uint8Array(0)), 4), 4)).toBeDefined();
  });

  it('that is no text is a fault each time', () => {
    for (const bytes of [Uint8Array.of(0xff), Uint8Array.of(0x61, 0), Uint8Array.of(0xed, 0xa0, 0x80)]) {
      for (let time = 0; time < 3; time++) expect(faultIn(withTopic(bytes), 4)?.why).toBe('utf-8');
    }
  });

  it('is told from all others that have its place in the table', () => {
    const topics = Array.from({ length: 5_000 }, (_, i) => `site/${String(i).padStart(5, '0')}/t`);
    for (let time = 0; time < 2; time++) {
      for (const topic of topics) {
        expect(read(publish(topic, 4), 4).topic).toBe(topic);
        expect(topicIn(publish(topic, 4), 2)?.name).toBe(topic);
      }
    }
  });

  it('is told from one that begins with it and has its place', () => {
    const isKnown = (topic: string) => topicIn(publish(topic, 4), 2) !== undefined;
    read(publish('beg', 4), 4);
    let longer = '';
    for (let i = 0; isKnown('beg') && i < 100_000; i++) {
      longer = `beg/${i}`;
      read(publish(longer, 4), 4);
    }
    read(publish('beg', 4), 4);
    expect([isKnown('beg'), isKnown(longer)]).toEqual([true, false]);
    expect(read(publish(longer, 4), 4).topic).toBe(longer);
  });

  it('is not the buffer that it came in', () => {
    const frame = Buffer.from('0004 67 6f 6e 65'.replaceAll(' ', ''), 'hex');
    learnTopic('gone', frame, 2, 6);
    expect(topicIn(frame, 0)?.name).toBe('gone');
    const again = Buffer.from(frame);
    frame.fill(0x78, 2);
    expect(topicIn(frame, 0)).toBeUndefined();
    expect(topicIn(again, 0)?.name).toBe('gone');
  });
});

describe('a PUBLISH whose topic is known', () => {
  it('is cut off at every length with the faults of one whose topic is not', () => {
    const known = publish('cut/known', 5, 1);
    const unknown = publish('cut/other', 5, 1);
    read(known, 5);
    for (let length = 2; length < known.length; length++) {
      const cut = (whole: Buffer) => Uint8Array.of(whole[0]!, length - 2, ...whole.subarray(2, length));
      const [ours, theirs] = [decodeBytes(cut(known), 5), decodeBytes(cut(unknown), 5)];
      expect('fault' in ours && ours.fault).toEqual('fault' in theirs && theirs.fault);
    }
  });

  it('is a fault where its topic is said to be longer than the packet', () => {
    const topic = Buffer.from('said/to/be');
    packetIn(withTopic(topic), 4);
    expect(faultIn(withTopic(topic, topic.length + 1), 4)?.why).toBe('too-short');
    expect(faultIn(withTopic(topic, 0xffff), 4)?.why).toBe('too-short');
  });
});
