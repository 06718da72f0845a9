// What every board does with an application, whichever way it runs: one suite for V8, WAMR and each emulated core, seen
// from outside: by Debian's MQTT clients at the broker, and on the air between board and gateway.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { PacketType } from '../../../assembly/protocol/index.js';
import { readBoard } from '../../../host/firmware/boards.js';
import { type StartedBoard, startBoard } from '../../../host/firmware/run/start.js';
import { buildHostBoard } from '../../../host/firmware/wamr.js';
import { buildTour, toolsOf, writeModule } from '../../boards/firmware.js';
import { buildFirmware } from '../../boards/native.js';
import { describeWithTools } from '../../tools.js';
import { makeCertificates, startMosquitto } from '../brokers.js';
import { HOST, type Program, publish, startBroker, subscribe, temporaryFolder, thimble, until } from '../world.js';
import { Relay } from './relay.js';

/** Impatient, so that nobody has to wait for what was lost. */
const LIMITS = { T_RETRY_MS: 1_000, RECONNECT_MS_MAX: 2_000, T_SEARCHGW_MS: 50, T_GWINFO_MS: 50 };
const GATEWAY = { tRetryMs: 1_000 };
/** Odd: the board discovers its gateway. */
const SEED = 0x51;
const SERIAL = '00000051';
const TOPIC = `board/${SERIAL}`;
const QOS_LEVELS = [0, 1, 2] as const;
const SLEEP_S = 2;
/** Building a runtime takes longer than any test. */
const BUILD_MS = 900_000;

/** What a board says of its start, on the emulated ones and elsewhere. */
const RESUMED = /^resumed/;
const STARTED = /^started: power/;
const WATCHDOG = /watchdog/i;
const TRAP = /trap/i;

/** The broker behind the gateway. */
type BrokerKind = 'own' | 'mosquitto';

/** `name`: of the board. */
export function describeBoard(name: string, brokerKind: BrokerKind = 'own'): void {
  const board = readBoard(name);
  const brokerTools = brokerKind === 'own' ? [] : ['mosquitto', 'openssl'];
  const tools = ['mosquitto_pub', 'mosquitto_sub', ...brokerTools, ...toolsOf(board)];
  describeWithTools(tools, `${name}, before ${brokerKind === 'own' ? 'our own broker' : 'mosquitto'}`, () => {
    const logs: string[] = [];
    let relay: Relay;
    let running: StartedBoard;
    let mqttPort: number;
    let sub: Program;

    beforeAll(async () => {
      const tour = await buildTour(board, LIMITS);
      const what = {
        module: writeModule(tour),
        ...(board.emulator !== undefined && { elf: (await buildFirmware(board, tour.source)).elf }),
        ...(board.host !== undefined && { program: await buildHostBoard(board) }),
      };
      const ports = await startNetwork(brokerKind);
      mqttPort = ports.mqtt;
      relay = await Relay.open(ports.sn);
      sub = await subscribe(mqttPort, `${TOPIC}/#`);
      running = await startBoard({
        board,
        ...what,
        gateway: relay.gateway,
        seed: SEED,
        onLog: (_level, text) => logs.push(text),
        onEnd: (error) => logs.push(`ended: ${error.message}`),
      });
    }, BUILD_MS);

    afterAll(async () => {
      await running?.close();
      relay?.close();
    });

    beforeEach(({ onTestFailed }) => {
      onTestFailed(() => {
        const said = [
          relay?.dump(),
          `the board said: ${logs.join(' / ')}`,
          `at the broker: ${messages(sub).join(' / ')}`,
        ];
        process.stderr.write(`${board.name}:\n${said.join('\n')}\n`);
      });
    });

    const order = (text: string, qos = 2): Promise<void> => publish(mqttPort, `${TOPIC}/do`, text, '-q', `${qos}`);
    const tell = (text: string, qos: number): Promise<void> => publish(mqttPort, `${TOPIC}/in`, text, '-q', `${qos}`);
    /** Waits for a message of the board, as `QoS retained topic payload`. */
    const heard = (line: string): Promise<string> => sub.line(new RegExp(`^${literal(line)}$`));
    const times = (line: string): number => sub.lines.filter((l) => l === line).length;
    let sequence = 0;
    const said = (qos: number): string => `${qos} 0 ${TOPIC}/said {"seq":${sequence}}`;
    const repeated = (text: string): string => `1 0 ${TOPIC}/heard ${text}`;
    const here = `1 0 ${TOPIC}/status here`;
    const log = (pattern: RegExp, from: number): Promise<string> =>
      until(`${pattern} in the board's log`, () => logs.slice(from).find((line) => pattern.test(line)));

    it('starts, finds its gateway, and connects', async () => {
      await heard(here);
      await log(STARTED, 0);
      expect(relay.count('up', PacketType.SearchGw)).toBeGreaterThan(0);
      expect(relay.count('up', PacketType.Subscribe)).toBeGreaterThan(0);
    });

    it.each(QOS_LEVELS)('publishes at QoS %i', async (qos) => {
      sequence++;
      await order(`say ${qos}`);
      await heard(said(qos));
    });

    it.each(QOS_LEVELS)('takes what is published at QoS %i', async (qos) => {
      await tell(`a message at ${qos}`, qos);
      await heard(repeated(`${qos} a message at ${qos}`));
    });

    it('sleeps without being disturbed, and gets what was kept once it wakes', async () => {
      const from = relay.passed.length;
      await order(`sleep ${SLEEP_S}`, 1); // acknowledged before it sleeps
      await until('the good night', () => relay.count('down', PacketType.Disconnect, from) > 0);
      const asleep = relay.passed.length;
      for (const qos of QOS_LEVELS) await tell(`kept at ${qos}`, qos);
      await order('awake');
      for (const qos of QOS_LEVELS) await heard(repeated(`${qos} kept at ${qos}`));
      await heard(here);
      // The first word after falling asleep is the board's own: it says that it is awake, and who it is.
      expect(relay.passed[asleep]).toMatchObject({ direction: 'up', packet: { type: PacketType.PingReq } });
    });

    it('is reset in the middle of its own QoS 2 message, goes on, and brings it through once', async () => {
      const from = relay.passed.length;
      const since = logs.length;
      sequence++;
      relay.hold('down', PacketType.PubRec);
      await order('say 2');
      await until('a PUBREC that is held back', () => relay.count('down', PacketType.PubRec, from) > 0);
      await settle(relay, PacketType.PubRel);
      await running.reset();
      await log(RESUMED, since);
      relay.release();
      await until('PUBCOMP', () => relay.count('down', PacketType.PubComp, from) > 0);
      await heard(said(2));
      await roundTrip('after its own');
      expect(times(said(2))).toBe(1);
    });

    it('is reset in the middle of a QoS 2 message for it, goes on, and takes it once', async () => {
      const from = relay.passed.length;
      const since = logs.length;
      relay.hold('down', PacketType.PubRel);
      await tell('only once', 2);
      await heard(repeated('2 only once'));
      await until('a PUBREL that is held back', () => relay.count('down', PacketType.PubRel, from) > 0);
      await settle(relay, PacketType.PubRec);
      await running.reset();
      await log(RESUMED, since);
      relay.release();
      await until('PUBCOMP', () => relay.count('up', PacketType.PubComp, from) > 0);
      await roundTrip('after one for it');
      expect(times(repeated('2 only once'))).toBe(1);
    });

    it.each([
      ['an endless loop', 'loop', WATCHDOG],
      ['a trap', 'trap', TRAP],
    ])('says that %s has ended in a reset, and comes back', async (_, command, reason) => {
      const since = logs.length;
      const before = times(here);
      await order(command, 0); // at QoS 1 or 2 it would be there again after each reset
      await log(reason, since);
      await until('the board is back', () => times(here) > before);
      await roundTrip(`after ${command}`);
    });

    it('leaves its will when it is switched off', async () => {
      await running.close();
      await heard(`1 0 ${TOPIC}/status gone`);
    });

    /** A message to the board and back: whatever was under way before has arrived by then. */
    async function roundTrip(text: string): Promise<void> {
      await tell(text, 1);
      await heard(repeated(`1 ${text}`));
    }
  });
}

/** Nothing on the air for a while: the board waits, and has kept its state. Of `but` there may be any number. */
async function settle(relay: Relay, but: PacketType): Promise<void> {
  const QUIET_MS = 150;
  await until('silence', () => {
    const last = relay.passed.findLast(({ packet }) => packet.type !== but);
    return last === undefined || performance.now() - last.atMs > QUIET_MS;
  });
}

async function startNetwork(kind: BrokerKind): Promise<{ mqtt: number; sn: number }> {
  const config = join(temporaryFolder(), 'config.json');
  writeFileSync(config, JSON.stringify({ gateway: GATEWAY }));
  if (kind === 'own') return startBroker('--config', config);
  const { port: mqtt } = await startMosquitto(makeCertificates());
  const gateway = thimble('broker', '--sn', '0', '--upstream', `mqtt://${HOST}:${mqtt}`, '--config', config, '--json');
  const { sn } = JSON.parse(await gateway.line(/^\{/)) as { sn: number };
  return { mqtt, sn };
}

/** Without what mosquitto_sub says of packets. */
const messages = (sub: Program | undefined): string[] => sub?.lines.filter((line) => /^[012] [01] /.test(line)) ?? [];

const literal = (text: string): string => text.replace(/[{}()[\].*+?^$|\\]/g, '\\$&');
