// What is replayed on every engine has in it what a device ever does, and the replay finds each difference.
import { beforeAll, describe, expect, it } from 'vitest';
import { PacketType } from '../../assembly/protocol/index.js';
import { compile } from '../../host/firmware/compile.js';
import { link } from '../../host/firmware/link.js';
import { decode, PACKET_NAMES } from '../../host/wire/index.js';
import { lockstepOnV8 } from './lockstep-v8.js';
import { replay } from './replay.js';
import { type Recorded, type Recording, record, TOUR } from './scenario.js';

/** Odd: the device discovers its gateway. */
const SEED = 41;
const EVEN_SEED = 42;
/** Orders to say something at QoS 2. */
const SAYS_2 = 6;

let wasm: Uint8Array;
let recording: Recording;

beforeAll(async () => {
  wasm = link(await compile({ entry: 'application', application: TOUR })).bytes;
  recording = record(wasm, SEED);
});

describe('the scenario', () => {
  it('is the same each time it is recorded', () => {
    expect(record(wasm, SEED)).toEqual(recording);
    expect(record(wasm, EVEN_SEED)).not.toEqual(recording);
  });

  it('has every packet that a client says or hears, but those of forwarders and gateways', () => {
    const heard = (call: Recorded['call']): Uint8Array[] => (call.call === 'receive' ? [call.datagram] : []);
    const seen = new Set(
      recording.calls.flatMap(({ call, sent }) => [...heard(call), ...sent]).map((octets) => decode(octets).type),
    );
    const elsewhere = [PacketType.Advertise, PacketType.Forwarded, PacketType.Unsubscribe, PacketType.UnsubAck];
    const names = Object.entries(PACKET_NAMES).filter(([type]) => !elsewhere.includes(Number(type)));
    expect(names.filter(([type]) => !seen.has(Number(type))).map(([, name]) => name)).toEqual([]);
  });

  it('hibernates in the middle of QoS 2 flows, and brings each message through once', () => {
    expect(recording.calls.filter(({ call }) => call.call === 'resume').length).toBeGreaterThan(3);
    expect(recording.calls.every(({ call, result }) => call.call !== 'resume' || result === 0)).toBe(true);
    const said = recording.messages.filter((message) => message.includes('/said'));
    const exactly = said.filter((message) => message.startsWith('2 '));
    expect(exactly.length).toBeGreaterThanOrEqual(SAYS_2); // an order at QoS 1 may be heard twice
    expect(new Set(exactly).size).toBe(exactly.length);
    for (const payload of ['one', 'two', 'asleep, one', 'asleep, two', 'during the outage']) {
      expect(
        recording.messages.filter((message) => message.endsWith(` ${payload}`) && message.includes('/heard')),
      ).not.toEqual([]);
    }
    expect(recording.messages.some((message) => message.endsWith('gone for good'))).toBe(true);
  });
});

describe('the replay', () => {
  it('finds the engine that recorded it equal, in its state to the last octet', async () => {
    const images = await replay(recording, lockstepOnV8(wasm));
    expect(images.length).toBeGreaterThan(3);
    for (const { recorded, found } of images) expect(Buffer.compare(recorded, found)).toBe(0);
  });

  it.each([
    ['an octet of a datagram', (r: Recorded) => ({ ...r, sent: r.sent.map((d) => d.with(0, d[0]! ^ 1)) })],
    ['a datagram too many', (r: Recorded) => ({ ...r, sent: [...r.sent, Uint8Array.of(2, 0x17)] })],
    ['a datagram that is missing', (r: Recorded) => ({ ...r, sent: r.sent.slice(1) })],
    ['another result', (r: Recorded) => ({ ...r, result: r.result + 1 })],
  ])('finds %s, and shows what came before', async (_, change) => {
    const at = recording.calls.findLastIndex(({ sent }) => sent.length > 0);
    const calls = recording.calls.map((recorded, i) => (i === at ? change(recorded) : recorded));
    await expect(replay({ ...recording, calls }, lockstepOnV8(wasm))).rejects.toThrow(
      new RegExp(`receive ← [^]*\ncall ${at} of`),
    );
  });
});
