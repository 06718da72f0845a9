// The modem and the forwarder, which wait for calls of firmware in C, give the same octets on every engine: each verb's
// result, each datagram and whom it is for, each event with its name and data.
import { beforeAll, describe, expect, it } from 'vitest';
import { EventKind, PacketType } from '../../assembly/protocol/index.js';
import { type Call, repeatCall } from '../../bench/footprint/calls.js';
import { MODEM_PLAYS } from '../../bench/footprint/modem-day.js';
import { type Built, buildOnce, measuredModules } from '../../bench/footprint/modules.js';
import { CONTRACT_FUNCTIONS } from '../../host/device/abi.js';
import { type Board, listBoards, readBoard } from '../../host/firmware/boards.js';
import { buildNative, type NativeBuild } from '../../host/firmware/native/build-native.js';
import type { LockstepDevice } from '../../host/firmware/run/lockstep.js';
import { type LockstepBoard, lockstepOnEmulator } from '../../host/firmware/run/lockstep-board.js';
import { parseModule } from '../../host/firmware/wasm.js';
import { decode, PACKET_NAMES } from '../../host/wire/index.js';
import { describeWithTools } from '../tools.js';
import { temporaryFolder, toolsOf } from './firmware.js';
import { lockstepOnV8 } from './lockstep-v8.js';
import { BUILD_MS, lockstepOnWamr, WAMR_BOARD } from './wamr.js';

const MODEM = 'modem-mqttsn';
const NAMES = Object.keys(MODEM_PLAYS);
const emulated = listBoards()
  .map(readBoard)
  .filter((board) => board.emulator !== undefined);

const buildFor = (name: string, board: Board): Promise<Built> =>
  buildOnce(measuredModules().find((target) => target.name === name)!, board);

const record = (name: string, { linked }: Built): Call[] => MODEM_PLAYS[name]!(linked.bytes);

/** Of an event as it is told: its kind, and 20 octets. */
const EVENT_BYTES = 21;

const NO_VERBS: readonly (readonly [name: string, args: readonly number[]])[] = [
  ['frobnicate', []],
  ['topics', [1]],
  ['topic', []],
  ['topic', [1, 2]],
  ['', []],
  ['a name that is longer than any verb has', []],
  ['memory', []],
  ['busy', [1, 2, 3, 4, 5, 6, 7, 8, 9]],
];

/** What a client says, be it only in answer. */
const SAID: readonly PacketType[] = [
  PacketType.SearchGw,
  PacketType.Connect,
  PacketType.WillTopic,
  PacketType.WillMsg,
  PacketType.Register,
  PacketType.RegAck,
  PacketType.Publish,
  PacketType.PubAck,
  PacketType.PubComp,
  PacketType.PubRec,
  PacketType.PubRel,
  PacketType.Subscribe,
  PacketType.Unsubscribe,
  PacketType.PingReq,
  PacketType.Disconnect,
  PacketType.WillTopicUpd,
  PacketType.WillMsgUpd,
  PacketType.Forwarded,
];

function buildLockstep(
  { name, linked, shifted }: Built,
  board: Board,
  main: 'lockstep' | 'loop' = 'lockstep',
): Promise<NativeBuild> {
  return buildNative({ board, name, module: linked.named, shifted, outDir: temporaryFolder(), main });
}

async function replay(calls: readonly Call[], device: LockstepDevice): Promise<void> {
  for (const call of calls) await repeatCall(device, call);
}

describe.each(NAMES)('what %s is played', (name) => {
  let built: Built;
  let calls: Call[];

  beforeAll(async () => {
    built = await buildFor(name, readBoard(WAMR_BOARD));
    calls = record(name, built);
  });

  it('has each of its verbs, and is the same each time', () => {
    const exported = parseModule(built.linked.bytes).exports.flatMap((e) => (e.kind === 'function' ? [e.name] : []));
    const verbs = exported.filter((verb) => !(CONTRACT_FUNCTIONS as readonly string[]).includes(verb));
    const played = new Set(calls.flatMap(({ request }) => (request.kind === 'verb' ? [request.name] : [])));
    expect([...played].sort()).toEqual(verbs.sort());
    expect(record(name, built)).toEqual(calls);
  });

  it('is found equal on the engine that recorded it', async () => {
    await replay(calls, lockstepOnV8(built.linked.bytes));
  });

  it.each([
    ['another result', (call: Call) => ({ ...call, result: call.result + 1 }), /result -?\d+.*where V8 has result/],
    ['a datagram that is missing', (call: Call) => ({ ...call, sent: call.sent.slice(1) }), /sent/],
    [
      'a datagram for somebody else',
      (call: Call) => ({ ...call, sent: call.sent.map((sent) => ({ ...sent, to: Uint8Array.of(1) })) }),
      / to 01/,
    ],
  ])('shows %s', async (_, change, why) => {
    const at = calls.findLastIndex(({ sent }) => sent.length > 0);
    const changed = calls.map((call, i) => (i === at ? change(call) : call));
    await expect(replay(changed, lockstepOnV8(built.linked.bytes))).rejects.toThrow(why);
  });
});

describe('what the modem is played', () => {
  /** The gateway refuses nobody for good. */
  const KINDS = Array.from({ length: EventKind.WillUpdated }, (_, i) => i + 1).filter(
    (kind) => kind !== EventKind.Refused,
  );
  let built: Built;
  let calls: Call[];

  beforeAll(async () => {
    built = await buildFor(MODEM, readBoard(WAMR_BOARD));
    calls = record(MODEM, built);
  });

  it('makes every event but a refusal, with names and data', () => {
    const events = calls.flatMap((call) => call.events);
    expect([...new Set(events.map((event) => event[0]))].sort((a, b) => a! - b!)).toEqual(KINDS);
    const texts = events.map((event) => new TextDecoder().decode(event.subarray(EVENT_BYTES)));
    expect(texts).toContain('home/modem/setorder 0 at QoS 1');
  });

  it('says every packet that a client says', () => {
    const said = new Set(calls.flatMap(({ sent }) => sent.map(({ datagram }) => decode(datagram).type)));
    for (const type of SAID) expect(said, PACKET_NAMES[type]).toContain(type);
  });

  it.each([
    ['an event that is missing', (call: Call) => ({ ...call, events: call.events.slice(1) })],
    ['an octet of an event', (call: Call) => ({ ...call, events: call.events.map((e) => e.with(-1, e.at(-1)! ^ 1)) })],
  ])('differs by %s', async (_, change) => {
    const at = calls.findLastIndex(({ events }) => events.length > 0);
    const changed = calls.map((call, i) => (i === at ? change(call) : call));
    await expect(replay(changed, lockstepOnV8(built.linked.bytes))).rejects.toThrow(/events/);
  });
});

/** What a verb that is none is answered with: nothing hangs, nothing restarts. */
async function refusesVerbs({ device }: LockstepBoard): Promise<void> {
  await device.start(0, 1);
  for (const [name, args] of NO_VERBS) {
    await expect(device.verb(name, args), name).rejects.toMatchObject({
      code: 'ERR_LOCKSTEP',
      message: expect.stringContaining(`${name}(${args.join(', ')}): `),
    });
  }
  expect((await device.verb('short', [0x6162])).result).toBe(0);
}

async function withBoard(board: LockstepBoard, use: (board: LockstepBoard) => Promise<void>): Promise<void> {
  try {
    await use(board);
  } finally {
    await board.close();
  }
}

describeWithTools(toolsOf(readBoard(WAMR_BOARD)), 'under WAMR', () => {
  it.each(NAMES)('%s answers each call as on V8', { timeout: BUILD_MS }, async (name) => {
    const built = await buildFor(name, readBoard(WAMR_BOARD));
    await withBoard(await lockstepOnWamr(built.linked.bytes), ({ device }) => replay(record(name, built), device));
  });

  it('a verb that the modem does not have is refused', { timeout: BUILD_MS }, async () => {
    const { linked } = await buildFor(MODEM, readBoard(WAMR_BOARD));
    await withBoard(await lockstepOnWamr(linked.bytes), refusesVerbs);
  });
});

for (const board of emulated) {
  describeWithTools(toolsOf(board), `as native code on ${board.name}`, () => {
    it.each(NAMES)('%s answers each call as on V8', async (name) => {
      const built = await buildFor(name, board);
      const { elf } = await buildLockstep(built, board);
      await withBoard(await lockstepOnEmulator(board, elf), async (running) => {
        await replay(record(name, built), running.device);
        if (name === MODEM) await refusesVerbs(running);
      });
    });
  });
}

describeWithTools(toolsOf(emulated[0]!), 'verbs by their names', () => {
  it('are in lockstep firmware only', async () => {
    const built = await buildFor(MODEM, emulated[0]!);
    const hasVerbs = ({ functions }: NativeBuild): boolean => functions.some(({ name }) => /verb/.test(name));
    expect(hasVerbs(await buildLockstep(built, emulated[0]!))).toBe(true);
    expect(hasVerbs(await buildLockstep(built, emulated[0]!, 'loop'))).toBe(false);
  });
});
