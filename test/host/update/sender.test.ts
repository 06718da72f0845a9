import { describe, expect, it } from 'vitest';
import { ErrorCode } from '../../../assembly/protocol/index.js';
import { parseStatus, Sender, type SenderOptions } from '../../../host/update/sender.js';

const CHUNKS = Array.from({ length: 100 }, (_, i) => Uint8Array.of(i));

class Scene {
  readonly sender: Sender;
  now = 0;

  constructor(options: Partial<SenderOptions> = {}) {
    this.sender = new Sender({ chunks: CHUNKS, version: '1.1.0', windowChunks: 10, ...options });
    this.sender.start(0);
  }

  /** Numbers of the chunks that go out now. */
  sent(): number[] {
    const numbers: number[] = [];
    for (let chunk = this.sender.take(); chunk !== undefined; chunk = this.sender.take()) numbers.push(chunk[0]!);
    return numbers;
  }

  hear(status: object, isRetained = false): void {
    const parsed = parseStatus(new TextEncoder().encode(JSON.stringify({ version: '1.0.0', ...status })));
    this.sender.hear(parsed!, isRetained, this.now);
  }

  pass(ms: number): void {
    this.now += ms;
    this.sender.poll(this.now);
  }
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

describe('The sender of an update', () => {
  it('is a window ahead of what the device has told, and no further', () => {
    const scene = new Scene();
    expect(scene.sent()).toEqual(range(0, 10));
    expect(scene.sent()).toEqual([]);
    scene.hear({ missing: 96 });
    expect(scene.sent()).toEqual(range(10, 14));
    scene.hear({ missing: 4 });
    expect(scene.sent()).toEqual(range(96, 100)); // it has what an earlier publisher has sent
  });

  it('goes back at a gap, once for all the complaints about it', () => {
    const scene = new Scene();
    scene.sent();
    scene.hear({ missing: 97, gap: true });
    expect(scene.sent()).toEqual(range(3, 13));
    scene.pass(1_000);
    scene.hear({ missing: 97, gap: true });
    expect(scene.sent()).toEqual([]);
    scene.pass(5_000);
    scene.hear({ missing: 97, gap: true });
    expect(scene.sent()).toEqual(range(3, 13));
  });

  it('goes back in the end at a gap of which it heard just after it went back', () => {
    const scene = new Scene();
    scene.sent();
    scene.hear({ missing: 97, gap: true });
    scene.sent();
    scene.pass(1_000);
    scene.hear({ missing: 100, gap: true }); // and no word more
    expect(scene.sent()).toEqual([]);
    scene.pass(9_999);
    expect(scene.sent()).toEqual([]);
    scene.pass(1);
    expect(scene.sent()).toEqual(range(0, 10));
  });

  it('does not go back at an old gap where there is progress since', () => {
    const scene = new Scene();
    scene.sent();
    scene.hear({ missing: 97, gap: true });
    scene.sent();
    scene.hear({ missing: 97, gap: true });
    scene.hear({ missing: 90 });
    expect(scene.sent()).toEqual(range(13, 20));
    scene.pass(30_000);
    expect(scene.sent()).toEqual([]);
  });

  it('stays within its chunks where the device speaks of an update that has more', () => {
    const scene = new Scene();
    scene.sent();
    scene.hear({ missing: 5_000, gap: true });
    expect(scene.sent()).toEqual(range(0, 10));
    scene.pass(6_000);
    scene.hear({ missing: -5, gap: true });
    expect([scene.sender.known, scene.sent()]).toEqual([100, []]);
  });

  it('does not go back for what the device has twice', () => {
    const scene = new Scene();
    scene.sent();
    scene.hear({ missing: 95 });
    scene.sent();
    scene.hear({ missing: 95 });
    expect(scene.sent()).toEqual([]);
  });

  it('begins anew where the device does', () => {
    const scene = new Scene();
    scene.sent();
    scene.hear({ missing: 92 });
    scene.sent();
    scene.hear({});
    expect(scene.sent()).toEqual(range(0, 10));
  });

  it('sends again what nothing is heard about, and gives up in the end', () => {
    const scene = new Scene({ retryMs: 1_000, retries: 2 });
    scene.sent();
    scene.hear({ missing: 98 });
    scene.sent();
    for (let retry = 0; retry < 2; retry++) {
      scene.pass(999);
      expect(scene.sent()).toEqual([]);
      scene.pass(1);
      expect(scene.sent()).toEqual(range(2, 12));
    }
    scene.pass(1_000);
    expect(scene.sender.outcome).toEqual({ kind: 'stuck' });
    expect(scene.sent()).toEqual([]);
  });

  it('gives up where a gap is never closed, but not where there is progress in between', () => {
    const stuck = new Scene({ retries: 3 });
    for (let i = 0; i < 4; i++) {
      stuck.pass(6_000);
      stuck.hear({ missing: 97, gap: true });
    }
    expect(stuck.sender.outcome).toEqual({ kind: 'stuck' });
    const slow = new Scene({ retries: 3 });
    for (let i = 0; i < 20; i++) {
      slow.pass(6_000);
      slow.hear({ missing: 97 - i, gap: true });
    }
    expect(slow.sender.outcome).toBeUndefined();
  });

  it.each([
    ['confirmed', [{ missing: 0 }, { version: '1.1.0', confirmed: true }], { kind: 'confirmed' }],
    ['running already', [{ version: '1.1.0', confirmed: true, missing: 0 }], { kind: 'confirmed' }],
    ['perhaps another module of this version', [{ version: '1.1.0', confirmed: true }], undefined],
    [
      'another module of this version',
      [
        { version: '1.1.0', confirmed: true },
        { version: '1.1.0', confirmed: true, missing: 99 },
        { version: '1.1.0', confirmed: true, refused: ErrorCode.UpdateVersion },
      ],
      { kind: 'refused', code: -52, isThere: true },
    ],
    [
      'perhaps back at the module before, which has the same version',
      [
        { version: '1.1.0', confirmed: true, missing: 50 },
        { version: '1.1.0', confirmed: true, missing: 0 },
        { version: '1.1.0', confirmed: true },
      ],
      undefined,
    ],
    [
      'confirmed where the device speaks of late copies of its chunks',
      [{ missing: 0 }, { version: '1.1.0', confirmed: true, missing: 99, gap: true }],
      { kind: 'confirmed' },
    ],
    ['on trial', [{ missing: 0 }, { version: '1.1.0' }], undefined],
    ['on trial where that is all that is ever said', [{ version: '1.1.0', confirmed: 'soon' }], undefined],
    [
      'rolled back after a trial',
      [{ missing: 0 }, { version: '1.1.0' }, {}, { refused: ErrorCode.UpdateFailed }],
      { kind: 'rolled-back' },
    ],
    ['refused', [{ missing: 99 }, { refused: -49 }], { kind: 'refused', code: -49 }],
    [
      'refused because it failed once',
      [{ missing: 99 }, { refused: ErrorCode.UpdateFailed }],
      { kind: 'refused', code: -53 },
    ],
    ['rolled back', [{ missing: 0 }, {}, { refused: ErrorCode.UpdateFailed }], { kind: 'rolled-back' }],
    ['on trial, whatever it says of chunks', [{ missing: 0 }, { version: '1.1.0', missing: 0 }], undefined],
  ])('finds out that it is %s', (_what, statuses, outcome) => {
    const scene = new Scene();
    for (const status of statuses) scene.hear(status);
    expect(scene.sender.outcome).toEqual(outcome);
  });

  it('takes a refusal for that of an earlier update until it has asked again', () => {
    const scene = new Scene();
    scene.sent();
    scene.hear({ refused: -49 });
    scene.pass(4_999);
    scene.hear({ refused: -49 });
    expect([scene.sender.outcome, scene.sent()]).toEqual([undefined, []]);
    scene.pass(1);
    expect(scene.sent()).toEqual(range(0, 10));
    scene.hear({ refused: -49 });
    expect(scene.sender.outcome).toEqual({ kind: 'refused', code: -49 });
  });

  it.each([[{ missing: 0 }], [{ missing: 3 }, { version: '1.1.0' }]])(
    'takes the time of a trial after %j, and no longer',
    (...statuses) => {
      const scene = new Scene({ retryMs: 1_000, outcomeMs: 5_000, retries: 0 });
      for (const status of statuses) {
        scene.hear(status);
        scene.sent();
      }
      expect(scene.sent()).toEqual([]);
      scene.pass(4_999);
      expect(scene.sender.outcome).toBeUndefined();
      scene.pass(1);
      expect(scene.sender.outcome).toEqual({ kind: 'stuck' });
    },
  );

  it('believes of what was said before only which version works', () => {
    const scene = new Scene();
    scene.sent();
    for (const old of [{ refused: -49 }, { missing: 5 }, {}]) scene.hear(old, true);
    expect([scene.sender.outcome, scene.sent()]).toEqual([undefined, []]);
    // Of another module, perhaps; and so the last chunk that was missing was another's.
    scene.hear({ version: '1.1.0', confirmed: true, missing: 0 }, true);
    expect(scene.sender.outcome).toBeUndefined();
  });

  it.each([true, false])(
    'asks with one chunk, and once more, whether the version that runs is this module',
    (isRetained) => {
      const scene = new Scene({ retries: 2 });
      scene.hear({ version: '1.1.0', confirmed: true }, isRetained);
      expect(scene.sent()).toEqual([0]);
      scene.pass(5_999);
      scene.hear({ version: '1.1.0', confirmed: true }); // says so now and then
      expect(scene.sent()).toEqual([]);
      scene.pass(1);
      expect(scene.sent()).toEqual([0]);
      scene.hear({ version: '1.1.0', confirmed: true, missing: 0 });
      expect(scene.sender.outcome).toEqual({ kind: 'confirmed' });
    },
  );

  it('sends the rest where the version that runs is another module', () => {
    const scene = new Scene();
    scene.hear({ version: '1.1.0', confirmed: true }, true);
    expect(scene.sent()).toEqual([0]);
    scene.hear({ version: '1.1.0', confirmed: true, missing: 99 });
    expect(scene.sent()).toEqual(range(1, 11));
  });

  it('says in the end that the version runs there, and that nobody knows whether as this module', () => {
    const scene = new Scene({ retries: 1, retryMs: 60_000 });
    scene.hear({ version: '1.1.0', confirmed: true }, true);
    scene.pass(6_000);
    scene.pass(60_000);
    expect(scene.sender.outcome).toEqual({ kind: 'stuck', isThere: true });
  });

  it.each(['', 'offline', '{}', 'null', '[]', '{"version":7}'])('reads no status in %j', (text) => {
    expect(parseStatus(new TextEncoder().encode(text))).toBeUndefined();
  });
});
