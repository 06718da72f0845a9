import { describe, expect, it } from 'vitest';
import { BrokerError } from '../../../host/broker/errors.js';
import { JournalState } from '../../../host/broker/journal-state.js';
import type { BrokerMessage } from '../../../host/broker/packets.js';
import { MemoryJournal } from '../../../host/core/memory-journal.js';

const NEVER = Number.POSITIVE_INFINITY;

const content: BrokerMessage = {
  topic: 'sensors/é',
  payload: Uint8Array.of(1, 2, 3),
  qos: 1,
  retain: true,
  properties: Uint8Array.of(1, 0),
  expiresAt: 5_000,
};

type Records = Map<string, Uint8Array>;

/** One record of each kind, or more. */
function records(): Records {
  const journal = new MemoryJournal();
  const state = new JournalState(journal, 0);
  state.load();
  state.putSession({ clientId: 'c', expiryMs: NEVER, endsAt: 7 });
  const filter = '$share/g/+';
  state.putSubscription('c', { filter, qos: 2, noLocal: false, retainAsPublished: true, identifier: 9 });
  state.putReceived('c', 65_535);
  const details = { qos: 1, retain: false, subscriptionIds: [1, 2], share: undefined } as const;
  state.addEntry('c', 0, state.newMessage(), content, details, { step: 'sent', packetId: 3 });
  state.putRetained(content);
  state.putWill({ clientId: 'c', message: content, expiryMs: 1, delayMs: 2, dueAt: undefined });
  state.commit(() => {});
  journal.flush(0);
  return new Map(journal.entries());
}

const load = (from: Records, isRecovered = false): ReturnType<JournalState['load']> =>
  new JournalState(new MemoryJournal(() => {}, from), 0, { isRecovered }).load();

/** The error that refuses these records; undefined: they are taken. */
function refusal(from: Records, isRecovered = false): BrokerError | undefined {
  try {
    load(from, isRecovered);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(BrokerError);
    expect((error as BrokerError).code).toBe('ERR_BROKER_RECORD');
    return error as BrokerError;
  }
}

/** The records without some, and with others. */
function changed(without: readonly string[], put: Readonly<Record<string, Uint8Array>> = {}): Records {
  const all = records();
  for (const key of without) expect(all.delete(key), key).toBe(true);
  for (const [key, value] of Object.entries(put)) all.set(key, value);
  return all;
}

const KEYS = ['e', 'format', 'm', 'r', 's', 't', 'u', 'w'];

describe("the broker's records", () => {
  it('are what this test is about: one of each kind', () => {
    expect([...records().keys()].map((key) => (key === 'format' ? key : key[0])).sort()).toEqual(KEYS);
    expect(load(records()).sessions[0]).toEqual({
      clientId: 'c',
      expiryMs: NEVER,
      endsAt: 7,
      subscriptions: [{ filter: '$share/g/+', qos: 2, noLocal: false, retainAsPublished: true, identifier: 9 }],
      received: [65_535],
      entries: [
        {
          number: 0,
          message: { id: 1, references: 1 },
          qos: 1,
          retain: false,
          subscriptionIds: [1, 2],
          state: { step: 'sent', packetId: 3 },
          content,
        },
      ],
    });
  });

  it('keep their layout while the format has this version', () => {
    const hex = [...records()].map(([key, value]) => [key, Buffer.from(value).toString('hex')]);
    expect(Object.fromEntries(hex)).toEqual({
      format: '01',
      sc: '000000000000f07f0000000000001c40',
      'uc\0$share/g/+': '0a09000000',
      'rc\x0065535': '',
      'ec\x000': '090300000000000000f03f0100000002000000',
      m1: '0a0073656e736f72732fc3a90d000000000088b340020000000100010203',
      'tsensors/é': '0d000000000088b340020000000100010203',
      wc: '000000000000f03f0000000000000040000000000000f87f0a0073656e736f72732fc3a90d000000000088b340020000000100010203',
    });
  });

  it('are refused where any of them is cut short, but for a payload, or ends in the middle of the next', () => {
    let refused = 0;
    for (const [key, value] of records()) {
      for (let size = 0; size < value.length; size++) {
        const error = refusal(changed([], { [key]: value.subarray(0, size) }));
        const hasPayload = ['m', 't', 'w'].includes(key[0]!) && size >= value.length - content.payload.length;
        const isWholeEntry = key[0] === 'e' && (size - 11) % 4 === 0 && size >= 11;
        if (hasPayload || isWholeEntry) continue;
        expect(error, `${key} of ${size} octets`).toBeDefined();
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(100);
    for (const key of ['sc', 'uc\0$share/g/+', 'ec\x000']) {
      const value = records().get(key)!;
      expect(refusal(changed([], { [key]: Uint8Array.of(...value, 0) })), key).toBeDefined();
    }
  });

  it('are refused or read, and nothing else, whatever octets they have', () => {
    for (const [key, value] of records()) {
      for (let at = 0; at < value.length; at++) {
        for (const octet of [0, 0x7f, 0xff]) refusal(changed([], { [key]: value.with(at, octet) }));
      }
    }
  });

  it('are refused with flags that mean nothing', () => {
    for (const key of ['uc\0$share/g/+', 'ec\x000', 'tsensors/é']) {
      const value = records().get(key)!;
      for (const flags of [0x80, 0b11]) {
        expect(refusal(changed([], { [key]: value.with(0, flags) })), `${key} ${flags}`).toBeDefined();
      }
    }
  });

  it('are refused where an entry has no message: the error names it, and says what to do', () => {
    const { message } = refusal(changed(['m1']))!;
    expect(message).toContain('queue entry "c", "0"');
    expect(message).toContain('its message 1 is missing');
    expect(message).toContain('restore a copy');
  });

  it('are refused where what belongs to a session has none', () => {
    expect(refusal(changed(['sc']))!.message).toContain('its session is missing');
  });

  it.each(['x', 'xyz', '', 'mx', 'm-1', 'm01', 'm1e3', 'uc', 'rc', 'rc\0', 'rc\0one', 'ec\x001.5'])(
    'are refused with one under the key %j',
    (key) => {
      expect(refusal(changed([], { [key]: new Uint8Array(0) }))).toBeDefined();
    },
  );

  it('are refused in another format, or in none', () => {
    const other = refusal(changed([], { format: Uint8Array.of(2) }))!;
    expect(other.message).toContain('format 2');
    expect(other.message).toContain('reads 1');
    expect(refusal(changed(['format']))!.message).toContain('no format');
    expect(refusal(changed([], { format: new Uint8Array(0) }))).toBeDefined();
  });

  it('name a long name only by its beginning', () => {
    const long = 'x'.repeat(60_000);
    const error = refusal(changed([], { [`s${long}`]: Uint8Array.of(1) }))!;
    expect(error.message.length).toBeLessThan(400);
    expect(error.message).toContain('session "xxx');
  });
});

describe("the broker's records after a journal lost some that it had confirmed", () => {
  it('are rid of what misses its session or its message, at once and for good', () => {
    const from = changed(['sc', 'format']);
    const journal = new MemoryJournal(() => {}, from);
    const state = new JournalState(journal, 0, { isRecovered: true });
    expect(state.load()).toMatchObject({ sessions: [], retained: [content], wills: [{ clientId: 'c' }] });
    journal.flush(0); // the loader has committed
    const left = new Map(journal.afterCrash().entries());
    expect([...left.keys()].sort()).toEqual(['format', 'tsensors/é', 'wc']);
    expect(refusal(left)).toBe(undefined);
  });

  it('keep the session whose entry misses its message', () => {
    expect(load(changed(['m1']), true).sessions).toMatchObject([{ clientId: 'c', entries: [], received: [65_535] }]);
  });

  it('are refused as ever where one cannot be read, or another version wrote them', () => {
    expect(refusal(changed([], { sc: Uint8Array.of(1) }), true)).toBeDefined();
    expect(refusal(changed([], { format: Uint8Array.of(2) }), true)).toBeDefined();
  });
});
