// One contract for both ends of an update, the host's and the one in C that boards share.
import { createHash, generateKeyPairSync } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ErrorCode, UPDATE_GAP } from '../../assembly/protocol/index.js';
import { signUpdate, type UpdateOptions, verifierOf } from '../../host/firmware/sign-update.js';
import { cut, decodeChunk, encodeChunk } from '../../host/update/chunks.js';
import { DIGEST_AT, HEADER_BYTES, idOf } from '../../host/update/header.js';
import { describeWithTools } from '../tools.js';
import { compileBoard, HostBoard, NativeBoard, SLOT_BYTES, TRIAL_MS, type UpdateBoard } from './update-boards.js';

const { privateKey } = generateKeyPairSync('ed25519');
const stranger = generateKeyPairSync('ed25519').privateKey;
const verify = verifierOf(privateKey);
const octets = (length: number, first: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (first + 7 * i) & 0xff);
const SHIPPED = octets(300, 1);
const NEWER = octets(700, 2);
const OTHER = octets(650, 3);

const update = (module: Uint8Array, options: Partial<UpdateOptions> = {}, key = privateKey): Uint8Array =>
  signUpdate(module, { name: 'lamp', version: '1.1.0', ...options }, key);
const chunksOf = (module: Uint8Array, options: Partial<UpdateOptions> = {}): Uint8Array[] =>
  cut(update(module, options));

/** Sends them in order and returns what the board said to each. */
async function send(board: UpdateBoard, chunks: readonly Uint8Array[]): Promise<(number | 'cut')[]> {
  const said: (number | 'cut')[] = [];
  for (const chunk of chunks) said.push(await board.chunk(chunk));
  return said;
}

/** The octets from `from` to `to` as a chunk. */
const numbered = (whole: Uint8Array, sequence: number, total: number, from: number, to?: number): Uint8Array => {
  const id = idOf(whole);
  return encodeChunk({ sequence, total, id, part: to === undefined ? Uint8Array.of(0) : whole.subarray(from, to) });
};

const OLD = {
  slot: 0,
  bytes: undefined as number | undefined,
  isOnTrial: false,
  wasRolledBack: false,
  wasOutdated: false,
  isPutOff: false,
  version: [1, 0, 0],
};
const NEW = { ...OLD, slot: 1, bytes: NEWER.length, version: [1, 1, 0] };
const TRIED = { ...NEW, isOnTrial: true };
const BACK = { ...OLD, wasRolledBack: true };

function suite(create: () => UpdateBoard): void {
  const boards: UpdateBoard[] = [];
  const started = async (): Promise<UpdateBoard> => {
    const board = create();
    boards.push(board);
    expect(await board.boot(0)).toEqual(OLD);
    return board;
  };
  /** Nothing was changed: what ran runs, now and after the next start. */
  const expectUnchanged = async (board: UpdateBoard): Promise<void> => {
    expect(await board.state(0)).toEqual({ isAccepted: false, isOverdue: false, version: '1.0.0' });
    expect(await board.boot(0)).toEqual(OLD);
    expect(await board.read(0, SHIPPED.length)).toEqual(SHIPPED);
  };
  afterAll(() => {
    for (const board of boards) board.close();
  });

  it('takes an update, starts it on trial, and keeps it once it has confirmed', async () => {
    const board = await started();
    const chunks = chunksOf(NEWER);
    expect(await send(board, chunks)).toEqual(chunks.map((_, i) => chunks.length - 1 - i));
    expect(await board.state(0)).toEqual({ isAccepted: true, isOverdue: false, version: '1.0.0' });
    expect(await board.boot(50)).toEqual(TRIED);
    expect(await board.read(1, NEWER.length)).toEqual(NEWER);
    expect(await board.confirm()).toBe('ok');
    expect(await board.state(9_999)).toEqual({ isAccepted: false, isOverdue: false, version: '1.1.0' });
    expect(await board.boot(100)).toEqual(NEW);
  });

  it('takes the next update into the slot that is free then', async () => {
    const board = await started();
    await send(board, chunksOf(NEWER));
    await board.boot(0);
    await board.confirm();
    expect((await send(board, chunksOf(OTHER, { version: '1.1.1' }))).at(-1)).toBe(0);
    const next = { ...OLD, bytes: OTHER.length, version: [1, 1, 1] };
    expect(await board.boot(0)).toEqual({ ...next, isOnTrial: true });
    await board.confirm();
    expect(await board.boot(0)).toEqual(next);
    expect(await board.read(0, OTHER.length)).toEqual(OTHER);
    expect((await board.state(0)).version).toBe('1.1.1');
  });

  it.each([32, 100, 128, 173, 174, 1_400])('takes chunks of %i octets', async (bytes) => {
    const board = await started();
    expect((await send(board, cut(update(NEWER), bytes))).at(-1)).toBe(0);
    expect(await board.boot(0)).toEqual(TRIED);
    expect(await board.read(1, NEWER.length)).toEqual(NEWER);
  });

  it('goes back where the update does not confirm before the next start, and does not try it again', async () => {
    const board = await started();
    await send(board, chunksOf(NEWER));
    expect(await board.boot(0)).toEqual(TRIED);
    expect(await board.boot(10)).toEqual(BACK);
    expect(await board.boot(20)).toEqual(OLD);
    expect((await send(board, chunksOf(NEWER, { version: '1.2.0' }))).at(-1)).toBe(ErrorCode.UpdateFailed);
    expect((await send(board, chunksOf(NEWER, { version: '1.2.0', again: true }))).at(-1)).toBe(0);
    expect(await board.boot(30)).toEqual({ ...TRIED, version: [1, 2, 0] });
    expect(await board.boot(40)).toEqual(BACK);
    // Nor is what may be tried again, when it has been.
    expect((await send(board, chunksOf(NEWER, { version: '1.2.0', again: true }))).at(-1)).toBe(ErrorCode.UpdateFailed);
    expect((await send(board, chunksOf(NEWER, { version: '1.2.1', again: true }))).at(-1)).toBe(0);
  });

  it('gives the update so much time and no more', async () => {
    const board = await started();
    await send(board, chunksOf(NEWER));
    await board.boot(4_294_967_000);
    expect((await board.state((4_294_967_000 + TRIAL_MS - 1) % 2 ** 32)).isOverdue).toBe(false);
    // The host's clock does not wrap.
    const wraps = board instanceof NativeBoard;
    expect((await board.state(wraps ? (4_294_967_000 + TRIAL_MS) % 2 ** 32 : 4_294_967_000 + TRIAL_MS)).isOverdue).toBe(
      true,
    );
  });

  it('confirms nothing that is not on trial', async () => {
    const board = await started();
    await board.confirm();
    await send(board, chunksOf(NEWER));
    await board.confirm();
    expect((await board.state(0)).isAccepted).toBe(true);
    expect(await board.boot(0)).toEqual(TRIED);
  });

  it.each([
    ['signed by a stranger', ErrorCode.UpdateSignature, () => update(NEWER, {}, stranger)],
    ['for another application', ErrorCode.UpdateForeign, () => update(NEWER, { name: 'lamps' })],
    ['for an application whose name is its beginning', ErrorCode.UpdateForeign, () => update(NEWER, { name: 'lam' })],
    ['for another board', ErrorCode.UpdateForeign, () => update(NEWER, { board: 'attic' })],
    ['of the same version', ErrorCode.UpdateVersion, () => update(NEWER, { version: '1.0.0' })],
    ['of an older version', ErrorCode.UpdateVersion, () => update(NEWER, { version: '0.9.9' })],
    ['too large', ErrorCode.TooLong, () => update(octets(SLOT_BYTES + 1, 4))],
    ['of nothing', ErrorCode.TooLong, () => update(new Uint8Array())],
    ['cut short', ErrorCode.UpdateFormat, () => update(NEWER).subarray(0, HEADER_BYTES + NEWER.length - 1)],
    ['that ends within its header', ErrorCode.UpdateFormat, () => update(NEWER).subarray(0, HEADER_BYTES - 1)],
    ['with more behind it', ErrorCode.UpdateFormat, () => Uint8Array.of(...update(NEWER), 0)],
    ['with an octet of the module changed', ErrorCode.UpdateDamaged, () => update(NEWER).fill(0, 500, 501)],
    [
      'with an octet of the header changed',
      ErrorCode.UpdateSignature,
      () => update(NEWER).fill(0xee, DIGEST_AT, DIGEST_AT + 1),
    ],
    ['with another magic', ErrorCode.UpdateFormat, () => update(NEWER).fill(0, 0, 1)],
    ['of another format', ErrorCode.UpdateFormat, () => update(NEWER).fill(9, 4, 5)],
  ])('refuses an update %s with %i, and changes nothing', async (_what, code, bytes) => {
    const board = await started();
    const said = await send(board, cut(bytes()));
    const first = said.findIndex((result) => result !== 'cut' && result < 0);
    expect(said.slice(first)).toEqual(said.slice(first).map(() => code)); // whatever follows is refused, too
    expect(first).toBeGreaterThanOrEqual(0);
    await expectUnchanged(board);
  });

  it.each([
    ['its own', 0],
    ['that of what has been rolled back, to be tried again', 1],
    ['that of another update, which would be taken for one that is here', 2],
  ])('takes an update under no name but %s', async (_what, which) => {
    const board = await started();
    const chunks = chunksOf(NEWER, { again: true });
    await send(board, chunks);
    await board.boot(0);
    await board.boot(0);
    const other = chunksOf(OTHER, { version: '1.2.0' });
    const id = decodeChunk(other[0]!)!.id + (which === 2 ? 0 : 1);
    const renamed = (which === 0 ? other : chunks).map((chunk) => {
      const parts = decodeChunk(chunk)!;
      return encodeChunk(which === 0 ? parts : { ...parts, id });
    });
    expect((await send(board, renamed)).at(-1)).toBe(which === 0 ? 0 : ErrorCode.UpdateFormat);
    expect((await board.state(0)).isAccepted).toBe(which === 0);
  });

  it('stays with what works where it cannot write down that the update has failed', async () => {
    const board = await started();
    await send(board, chunksOf(NEWER));
    expect(await board.boot(0)).toEqual(TRIED);
    await board.failWrites(true);
    expect(await board.boot(0)).toEqual(BACK);
    await board.failWrites(false);
    await board.confirm(); // says what came back of itself
    expect(await board.state(TRIAL_MS)).toEqual({ isAccepted: false, isOverdue: false, version: '1.0.0' });
    expect(await board.boot(0)).toEqual(BACK);
    expect(await board.boot(0)).toEqual(OLD);
  });

  it('puts an update off whose trial cannot be written down, without starting again for ever', async () => {
    const board = await started();
    const chunks = chunksOf(NEWER);
    await send(board, chunks);
    await board.failWrites(true);
    expect(await board.boot(0)).toEqual({ ...OLD, isPutOff: true });
    expect(await board.state(TRIAL_MS)).toEqual({ isAccepted: false, isOverdue: false, version: '1.0.0' });
    expect(await send(board, [chunks.at(-1)!, chunksOf(OTHER)[0]!])).toEqual([0, ErrorCode.WrongState]);
    await board.failWrites(false);
    expect(await board.boot(0)).toEqual(TRIED);
    await board.confirm();
    expect(await board.boot(0)).toEqual(NEW);
  });

  it.each([1, 2])(
    'starts what it is shipped with anew where that is newer than what %i updates brought',
    async (updates) => {
      const board = await started();
      await send(board, chunksOf(NEWER));
      await board.boot(0);
      await board.confirm();
      if (updates === 2) {
        await send(board, chunksOf(OTHER, { version: '1.1.1' }));
        await board.boot(0);
        await board.confirm();
      }
      expect(await board.boot(0, '1.1.0')).toMatchObject({ bytes: updates === 2 ? OTHER.length : NEWER.length });
      const anew = { ...OLD, wasOutdated: true, version: [1, 2, 0] };
      await board.failWrites(true);
      expect(await board.boot(0, '1.2.0')).toEqual(anew);
      expect((await board.state(0)).version).toBe('1.2.0');
      await board.failWrites(false);
      expect(await board.boot(0, '1.2.0')).toEqual(anew);
      expect(await board.boot(0, '1.2.0')).toEqual({ ...anew, wasOutdated: false });
      // And is updated as any other.
      expect((await send(board, chunksOf(OTHER, { version: '1.2.0' }))).at(-1)).toBe(ErrorCode.UpdateVersion);
      expect((await send(board, chunksOf(OTHER, { version: '1.3.0' }))).at(-1)).toBe(0);
      expect(await board.boot(0, '1.2.0')).toMatchObject({ slot: 1, isOnTrial: true, version: [1, 3, 0] });
    },
  );

  it('stays with an update that is older than what it was shipped with, as somebody wanted', async () => {
    const board = await started();
    await send(board, chunksOf(NEWER, { version: '0.9.0', downgrade: true }));
    await board.boot(0);
    await board.confirm();
    expect(await board.boot(0)).toEqual({ ...NEW, version: [0, 9, 0] });
    // And with the next one, which is newer than that and still older.
    await send(board, chunksOf(OTHER, { version: '0.9.1' }));
    await board.boot(0);
    await board.confirm();
    expect(await board.boot(0)).toEqual({ ...OLD, bytes: OTHER.length, version: [0, 9, 1] });
  });

  it('writes its table as docs/UPDATE.md draws it, in turns', async () => {
    const board = await started();
    const chunks = chunksOf(NEWER);
    const digest = createHash('sha256').update(NEWER).digest('hex');
    const id = Buffer.from(chunks[0]!.subarray(5, 9)).toString('hex');
    const expected = (generation: number, active: number, trial: number, failed: string): string => {
      const slot1 = `${id}0100${'010001000000'}${'bc020000'}${digest}`;
      const head = `74686d730${generation}0000000${active}0${trial}0000`;
      const checked = Buffer.from(`${head}${'00'.repeat(48)}${slot1}${failed}`, 'hex');
      const sum = Buffer.alloc(4);
      sum.writeUInt32LE(crc32(checked));
      return Buffer.concat([checked, sum]).toString('hex');
    };
    const hex = async (copy: number): Promise<string> => Buffer.from(await board.table(copy)).toString('hex');
    await send(board, chunks);
    expect(await hex(1)).toBe(expected(1, 0, 1, '00'.repeat(32)));
    await board.boot(0);
    expect([await hex(0), await hex(1)]).toEqual([
      expected(2, 0, 2, '00'.repeat(32)),
      expected(1, 0, 1, '00'.repeat(32)),
    ]);
    await board.boot(0);
    expect(await hex(1)).toBe(expected(3, 0, 0, digest));
    expect((await send(board, chunksOf(NEWER, { again: true }))).at(-1)).toBe(0);
    await board.boot(0);
    await board.confirm();
    expect((await hex(0)).slice(8, 24)).toBe('0600000001000000');
  });

  it('says when it cannot write an update', async () => {
    const board = await started();
    await board.failWrites(true);
    const said = await send(board, chunksOf(OTHER));
    expect(said.slice(1)).toEqual(said.slice(1).map(() => ErrorCode.UpdateStorage));
  });

  it('takes the right update after a wrong one', async () => {
    const board = await started();
    await send(board, cut(update(NEWER, {}, stranger)));
    expect((await send(board, chunksOf(NEWER))).at(-1)).toBe(0);
  });

  it('writes nothing before it has seen the signature', async () => {
    const board = await started();
    const before = await board.read(1, 16);
    await send(board, cut(update(NEWER, {}, stranger)));
    expect(await board.read(1, 16)).toEqual(before);
  });

  it('goes back to an older version where the header allows it, and takes one for this very board', async () => {
    const board = await started();
    expect((await send(board, chunksOf(NEWER, { version: '0.9.0', downgrade: true, board: 'bench' }))).at(-1)).toBe(0);
  });

  it('answers a gap and a repetition with what is missing, and goes on from there', async () => {
    const board = await started();
    const chunks = chunksOf(NEWER);
    const total = chunks.length;
    expect(await send(board, [chunks[3]!])).toEqual([total + UPDATE_GAP]); // it has not heard of it yet
    expect(await send(board, [chunks[0]!, chunks[1]!])).toEqual([total - 1, total - 2]);
    expect(await send(board, [chunks[3]!, chunks[0]!, chunks[1]!, chunks[5]!])).toEqual([
      total - 2 + UPDATE_GAP,
      total - 2,
      total - 2,
      total - 2 + UPDATE_GAP,
    ]);
    expect((await send(board, chunks.slice(2))).at(-1)).toBe(0);
    expect(await board.boot(0)).toEqual(TRIED);
    expect(await board.read(1, NEWER.length)).toEqual(NEWER);
  });

  it('changes nothing where a chunk is missing', async () => {
    const chunks = chunksOf(NEWER);
    for (let missing = 0; missing < chunks.length; missing++) {
      const board = await started();
      const said = await send(
        board,
        chunks.filter((_, i) => i !== missing),
      );
      expect(said.at(-1)).toBe(missing === chunks.length - 1 ? 1 : chunks.length - missing + UPDATE_GAP);
      await expectUnchanged(board);
    }
  });

  it('begins anew with the first chunk of another update, or of the same cut otherwise', async () => {
    const board = await started();
    const [first, other] = [chunksOf(NEWER), chunksOf(OTHER)];
    await send(board, first.slice(0, 4));
    expect((await send(board, [other[4]!]))[0]).toBe(other.length + UPDATE_GAP); // not the first: the one under way stays
    expect((await send(board, [first[4]!]))[0]).toBe(first.length - 5);
    const recut = cut(update(OTHER), 100);
    await send(board, other.slice(0, 3));
    expect((await send(board, recut)).at(-1)).toBe(0);
    expect(await board.boot(0)).toEqual({ ...TRIED, bytes: OTHER.length });
    expect(await board.read(1, OTHER.length)).toEqual(OTHER);
  });

  it('takes parts of any lengths, as long as they are in order, up to the last octet of a slot', async () => {
    const board = await started();
    const whole = update(octets(SLOT_BYTES, 5));
    const ends = [1, 2, 99, 103, 163, 165, 166, 1_400, 2_801, 4_000, whole.length];
    const chunks = ends.map((end, i) => numbered(whole, i, ends.length, ends[i - 1] ?? 0, end));
    expect(await send(board, chunks)).toEqual(ends.map((_, i) => ends.length - 1 - i));
    expect((await board.boot(0)) as object).toMatchObject({ isOnTrial: true, bytes: SLOT_BYTES });
    expect(await board.read(1, SLOT_BYTES)).toEqual(octets(SLOT_BYTES, 5));
  });

  it.each([
    ['that says too many chunks', 1],
    ['that says too few', -1],
  ])('refuses an update %s, and writes nothing behind its slot', async (_what, more) => {
    const board = await started();
    const whole = update(octets(SLOT_BYTES, 5));
    const total = Math.ceil(whole.length / 500);
    const chunks = Array.from({ length: total + more }, (_, i) =>
      numbered(whole, i, total + more, i * 500, i < total ? (i + 1) * 500 : undefined),
    );
    expect((await send(board, chunks)).at(-1)).toBe(ErrorCode.UpdateFormat);
    const longer = Uint8Array.of(...whole, ...octets(1_000, 9));
    for (const last of [2, 3]) {
      const two = [numbered(longer, 0, last, 0, 500), numbered(longer, 1, last, 500, longer.length)];
      expect((await send(board, two)).at(-1)).toBe(ErrorCode.UpdateFormat);
    }
    await expectUnchanged(board);
  });

  it('keeps to the total that the first chunk said', async () => {
    const board = await started();
    const chunks = chunksOf(NEWER);
    const total = chunks.length;
    await send(board, chunks.slice(0, 3));
    const lie = chunks[3]!.slice().fill(total + 1, 3, 4);
    expect(await send(board, [lie])).toEqual([total + 1 + UPDATE_GAP]);
    expect((await send(board, chunks.slice(3))).at(-1)).toBe(0);
  });

  it('takes one update of two whose chunks come in turns, and neither half of each', async () => {
    const board = await started();
    const [one, other] = [chunksOf(NEWER), chunksOf(OTHER)];
    await send(board, [one[0]!, other[0]!]);
    for (let i = 1; i < other.length; i++) {
      expect(await send(board, [one[i]!, other[i]!])).toEqual([one.length + UPDATE_GAP, other.length - 1 - i]);
    }
    expect(await board.boot(0)).toEqual({ ...TRIED, bytes: OTHER.length });
    expect(await board.read(1, OTHER.length)).toEqual(OTHER);
  });

  it('takes no other update while one is on trial, since what it could go back to would be lost', async () => {
    const board = await started();
    const chunks = chunksOf(NEWER);
    await send(board, chunks);
    const other = chunksOf(OTHER, { version: '1.2.0' });
    expect(await send(board, [other[0]!])).toEqual([ErrorCode.WrongState]);
    await board.boot(0);
    expect(await send(board, [other[0]!, chunks.at(-1)!, other[1]!])).toEqual([
      ErrorCode.WrongState,
      0,
      ErrorCode.WrongState,
    ]);
    expect(await board.boot(0)).toEqual(BACK);
    expect(await board.read(0, SHIPPED.length)).toEqual(SHIPPED);
  });

  it('says to late copies of what it has taken that nothing is missing', async () => {
    const board = await started();
    const chunks = chunksOf(NEWER);
    await send(board, chunks);
    await board.boot(0);
    await board.confirm();
    expect(await send(board, [chunks.at(-1)!, chunks[0]!])).toEqual([0, 0]);
    expect((await board.state(0)).isAccepted).toBe(false);
  });

  it('refuses what is no chunk', async () => {
    const board = await started();
    const [chunk] = chunksOf(NEWER);
    const wrong = [
      new Uint8Array(),
      chunk!.subarray(0, 9),
      chunk!.slice().fill(2, 0, 1),
      chunk!.slice().fill(0xff, 1, 2),
    ];
    expect(await send(board, wrong)).toEqual(wrong.map(() => ErrorCode.UpdateFormat));
    await expectUnchanged(board);
  });

  it('has a module to start, whenever the power is cut', async () => {
    const chunks = chunksOf(NEWER);
    const results = new Set<string>();
    for (let operations = 0; ; operations++) {
      expect(operations).toBeLessThan(100);
      const board = await started();
      await board.cutAfter(operations);
      const steps: (() => Promise<unknown>)[] = [
        ...chunks.map((chunk) => () => board.chunk(chunk)),
        () => board.boot(0),
        () => board.confirm(),
      ];
      let wasCut = false;
      for (const step of steps) {
        wasCut = (await step()) === 'cut';
        if (wasCut) break;
      }
      if (!wasCut) break;
      const boot = await board.boot(0);
      if (boot === 'cut') throw new Error('the power was to be cut once');
      const module = boot.slot === 0 ? SHIPPED : NEWER;
      expect(await board.read(boot.slot, module.length), `cut after ${operations}`).toEqual(module);
      results.add(JSON.stringify(boot));
      // What it starts then it can be updated from: nothing is stuck.
      if (boot.isOnTrial) await board.confirm();
      expect((await send(board, chunksOf(OTHER, { version: '2.0.0' }))).at(-1)).toBe(0);
    }
    // Cut before it was accepted; before it was started; while it was on trial.
    expect([...results].map((boot) => JSON.parse(boot))).toEqual([OLD, TRIED, BACK]);
  });
}

describe('An update on the host', () => suite(() => new HostBoard(SHIPPED, verify)));

describeWithTools(['gcc'], 'An update on a board', () => {
  let program = '';
  beforeAll(() => {
    program = compileBoard();
  });
  suite(() => new NativeBoard(program, SHIPPED, verify));
});
