// Boards on serial lines, as one types it: the built command, a broker, and boards that are played by the test.
import { type ChildProcess, spawn } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { PacketType, PROTOCOL_ID, TopicType } from '../../../assembly/protocol/index.js';
import { encodeFrame, FrameDecoder } from '../../../host/net/slip.js';
import { decode, encode, type Packet } from '../../../host/wire/index.js';
import { HOST, type Program, publish, startBroker, subscribe, thimble, until } from '../../e2e/world.js';
import { describeWithTools, findTool } from '../../tools.js';
import { expectRefusal } from './command.js';

interface Served {
  readonly gateway: string;
  readonly lines: readonly { readonly line: string; readonly nodeId: string; readonly port?: number }[];
}

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** The board's end of a line. */
class Board {
  readonly heard: Packet[] = [];

  constructor(private readonly line: Pick<Duplex, 'write' | 'on'>) {
    const decoder = new FrameDecoder(1_000, (frame) => this.heard.push(decode(frame) as Packet));
    line.on('data', (octets: Buffer) => decoder.push(octets));
  }

  say(...packets: Packet[]): void {
    for (const packet of packets) this.line.write(encodeFrame(encode(packet)));
  }

  frame(...octets: number[]): void {
    this.line.write(encodeFrame(Uint8Array.from(octets)));
  }

  hears<T extends PacketType>(type: T): Promise<Extract<Packet, { type: T }>> {
    return until(`packet ${type} among ${this.heard.map((p) => p.type)}`, () =>
      this.heard.find((p): p is Extract<Packet, { type: T }> => p.type === type),
    );
  }

  async connects(clientId: string): Promise<void> {
    const keepAlive = { protocolId: PROTOCOL_ID, duration: 60 };
    this.say({ type: PacketType.Connect, will: false, cleanSession: true, ...keepAlive, clientId });
    expect(await this.hears(PacketType.ConnAck)).toMatchObject({ returnCode: 0 });
  }
}

function overTcp(port: number): Board {
  const socket: Socket = connect(port, HOST);
  closers.push(() => socket.destroy());
  return new Board(socket);
}

async function serve(sn: number, ...lines: string[]): Promise<{ program: Program; served: Served }> {
  const program = thimble('serve-serial', ...lines, '--gateway', `${HOST}:${sn}`, '--verbose', '--json');
  return { program, served: JSON.parse(await program.line(/^\{/)) as Served };
}

const SHORT = { kind: TopicType.Short, name: 'ab' } as const;

describeWithTools(['mosquitto_pub', 'mosquitto_sub'], 'thimble serve-serial', () => {
  it('brings boards on several lines to the broker, each as a node of its own', async () => {
    const { mqtt, sn } = await startBroker();
    const sub = await subscribe(mqtt, '#');
    const { program, served } = await serve(sn, 'listen:0', 'listen:0=0a0b');
    expect(served.lines.map(({ nodeId }) => nodeId)).toEqual([expect.stringMatching(/^[0-9a-f]{8}$/), '0a0b']);
    const boards = served.lines.map(({ port }) => overTcp(port!));
    for (const [i, board] of boards.entries()) {
      await board.connects(`serial-${i}`);
      const data = new TextEncoder().encode(`from ${i}`);
      board.say({ type: PacketType.Publish, dup: false, qos: 1, retain: false, topic: SHORT, msgId: 1, data });
      await sub.line(new RegExp(`^1 0 ab from ${i}$`));
    }
    // Only one of them is told what only one has asked for.
    boards[1]!.say({ type: PacketType.Subscribe, dup: false, qos: 1, msgId: 2, topic: SHORT });
    await boards[1]!.hears(PacketType.SubAck);
    await publish(mqtt, 'ab', 'to one', '-q', '1');
    await boards[1]!.hears(PacketType.Publish);
    expect(boards[0]!.heard.some(({ type }) => type === PacketType.Publish)).toBe(false);
    await until('a line for each packet', () => /listen:0 → CONNECT .*listen:0 ← CONNACK /s.test(program.errors));
    expect(await program.stop('SIGINT')).toBe(0);
  });

  it('tells what a board says, and what comes of it in all', async () => {
    const { sn } = await startBroker();
    const program = thimble('serve-serial', 'listen:0', '--gateway', `${HOST}:${sn}`);
    const port = Number(
      /TCP port (\d+)/.exec(await program.line(/is wireless node [0-9a-f]{8} behind a forwarder$/))![1],
    );
    const board = overTcp(port);
    board.frame(0, 2, ...new TextEncoder().encode('started: watchdog'));
    await until('the words', () => program.errors.includes('listen:0 info: started: watchdog\n'));
    await board.connects('talker');
    board.frame(9, 9, 9);
    board.say({ type: PacketType.PingReq, clientId: '' });
    await board.hears(PacketType.PingResp);
    expect(await program.stop('SIGTERM')).toBe(0);
    expect(program.lines.at(-1)).toBe('2 packets to the gateway, 2 to boards, 1 dropped');
  });

  it('goes on without a gateway, and says so once', async () => {
    const { broker, sn } = await startBroker();
    await broker.stop('SIGTERM');
    const { program, served } = await serve(sn, 'listen:0');
    const board = overTcp(served.lines[0]!.port!);
    for (let i = 0; i < 3; i++) {
      board.say({ type: PacketType.SearchGw, radius: 1 });
      await until('a complaint', () => program.errors.includes('keeps trying\n'));
    }
    expect(await program.stop('SIGTERM')).toBe(0);
    expect(program.errors.match(/keeps trying/g)).toHaveLength(1);
  });

  it('comes with the broker, too', async () => {
    const broker = thimble('broker', '--mqtt', '0', '--sn', '0', '--serial', 'listen:0', '--json');
    const { serial } = JSON.parse(await broker.line(/^\{/)) as { serial: Served['lines'] };
    await overTcp(serial[0]!.port!).connects('at-the-broker');
    expect(await broker.stop('SIGINT')).toBe(0);
  });
});

describeWithTools(['script'], 'thimble serve-serial on a terminal', () => {
  it('serves a board, and says where the terminal went', async () => {
    const { sn } = await startBroker();
    const terminal: ChildProcess = spawn(findTool('script')!, ['-qfc', 'tty; sleep 600', '/dev/null'], {
      stdio: 'pipe',
    });
    closers.push(() => void terminal.kill('SIGKILL'));
    let said = '';
    terminal.stdout!.on('data', (octets: Buffer) => {
      said += octets.toString('latin1');
    });
    const path = await until('the terminal', () => /^(\/dev\/\S+)\r\n/.exec(said)?.[1]);
    const { program } = await serve(sn, path);
    const line = {
      write: (octets: Uint8Array) => terminal.stdin!.write(octets),
      on: terminal.stdout!.on.bind(terminal.stdout),
    };
    await new Board(line as unknown as Duplex).connects('on-a-terminal');
    terminal.kill('SIGKILL');
    await until('the loss', () => program.errors.includes(`${path}: `));
    expect(await program.stop('SIGTERM')).toBe(0);
  });
});

describe('thimble serve-serial refuses', () => {
  it.each([
    [['/dev/there-is-none'], 'ERR_SERIAL_PORT', ['/dev/there-is-none', '/dev/ttyACM*']],
    [['/dev/null'], 'ERR_SERIAL_PORT', ['/dev/null']],
    [['tcp:nowhere'], 'ERR_SERIAL_NAME', ['tcp:HOST:PORT']],
    [['tcp://127.0.0.1:7399'], 'ERR_SERIAL_NAME', ['no URL', 'tcp:HOST:PORT']],
    [['listen:99999'], 'ERR_SERIAL_NAME', ['a port from 0 to 65535']],
    [['listen:0=zz'], 'ERR_SERIAL_NAME', ['=HEX of 1 to 8 octets']],
    [['listen:0=112233445566778899'], 'ERR_SERIAL_NAME', ['=HEX of 1 to 8 octets']],
    [['listen:0=01', 'listen:0=01'], 'ERR_SERIAL_NAME', ['01', 'LINE=HEX']],
    [['listen:0', '--baud', '0'], 'ERR_USAGE_NUMBER', ['--baud']],
    [['listen:0', '--gateway', 'here'], 'ERR_USAGE_GATEWAY', ['HOST:PORT']],
    [[], 'ERR_USAGE_OPTION', ['LINE']],
  ])('%j', async (args, code, mentions) => {
    await expectRefusal(['serve-serial', ...args], code, mentions);
  });

  it('a speed at the broker without a line', async () => {
    await expectRefusal(['broker', '--mqtt', '0', '--sn', '0', '--baud', '9600'], 'ERR_USAGE_SERIAL', ['--serial']);
  });
});
