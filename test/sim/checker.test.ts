// The checker can fail: take a safeguard out of the device or the gateway, and the promise it keeps is seen to break.
import { afterEach, describe, expect, it, vi } from 'vitest';
import * as fingerprints from '../../host/gateway/fingerprint.js';
import type { Violation } from '../../host/sim/ledger.js';
import { buildTalker, type Patch, runTalkers } from './talkers.js';

/** Enough for the rare coincidences that some safeguards are about. */
const SEEDS = 40;

vi.mock('../../host/gateway/fingerprint.js', async (original) => {
  const real = await original<typeof fingerprints>();
  return { ...real, fingerprint: vi.fn(real.fingerprint) };
});

afterEach(() => {
  vi.mocked(fingerprints.fingerprint).mockRestore();
});

async function kindsBroken(patches: readonly Patch[] = []): Promise<Set<Violation['kind']>> {
  const module = await buildTalker(patches);
  const kinds = new Set<Violation['kind']>();
  for (let seed = 1; seed <= SEEDS; seed++) for (const { kind } of runTalkers(module, seed).violations) kinds.add(kind);
  return kinds;
}

describe('The checker', () => {
  it('finds nothing while every safeguard is in', async () => {
    expect([...(await kindsBroken())]).toEqual([]);
  });

  it('sees duplicates when the device sends again under a new MsgId', async () => {
    const kinds = await kindsBroken([
      {
        file: 'client/outbound.ts',
        from: 'const dup = client.headSent ? Flags.Dup : 0;',
        to: 'const dup = client.headSent ? Flags.Dup : 0; if (dup && headMsgId()) { exchangeAt(Request.Publish).msgId = nextMsgId(); store<u16>(OUTBOUND_AT, exchangeAt(Request.Publish).msgId, 2); }',
      },
    ]);
    expect(kinds).toContain('duplicate');
  });

  it('sees that something is wrong when the device sends again without DUP', async () => {
    const kinds = await kindsBroken([
      {
        file: 'client/outbound.ts',
        from: 'const dup = client.headSent ? Flags.Dup : 0;',
        to: 'const dup = 0;',
      },
    ]);
    // To the checker a PUBLISH without DUP is another message, and the gateway rightly passes on only one.
    expect(kinds).toContain('lost');
  });

  it('sees duplicates when the device keeps no record of QoS 2', async () => {
    const kinds = await kindsBroken([
      { file: 'client/inbound.ts', from: 'if (known && isCopy(known, check))', to: 'if (false)' },
    ]);
    expect(kinds).toContain('duplicate');
  });

  it('sees duplicates when the gateway keeps no record of QoS 2', async () => {
    // Every datagram looks like one that was never seen.
    let last = 0;
    vi.mocked(fingerprints.fingerprint).mockImplementation(() => ++last);
    expect(await kindsBroken()).toContain('duplicate');
  });

  it('sees duplicates when the device forgets a message the moment it is released', async () => {
    const kinds = await kindsBroken([
      { file: 'client/inbound.ts', from: 'record.state = RELEASED;', to: 'record.msgId = 0;' },
    ]);
    expect(kinds).toContain('duplicate');
  });

  it('sees losses when the device sends a message once and calls it done', async () => {
    const kinds = await kindsBroken([
      {
        file: 'client/outbound.ts',
        from: 'ask(Request.Publish, headFlags() & (2 << QOS_SHIFT) ? PacketType.PubRec : PacketType.PubAck);',
        to: 'sendHead(); drop(); continue;',
      },
    ]);
    expect(kinds).toContain('lost');
  });

  it('sees disorder when the device sends the newest message first', async () => {
    const kinds = await kindsBroken([
      // Fast enough that messages wait: the newest goes right behind the one in flight.
      { file: 'apps/main.ts', from: 'const TALK_MS: i32 = 15_000;', to: 'const TALK_MS: i32 = 5_000;' },
      {
        file: 'client/outbound.ts',
        from: 'const at = OUTBOUND_AT + used;',
        to: `const first = used ? RECORD_BYTES + headBytes() : 0;
          const at = OUTBOUND_AT + first;
          memory.copy(at + RECORD_BYTES + bytes, at, used - first);`,
      },
    ]);
    expect(kinds).toContain('order');
  });
});
