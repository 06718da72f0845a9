// thimble run on boards and with a network of its own, as one types it: the built command.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readBoard } from '../../../host/firmware/boards.js';
import { StateFile } from '../../../host/store/state-file.js';
import { toolsOf } from '../../boards/firmware.js';
import {
  HOST,
  type Program,
  publish,
  startBroker,
  subscribe,
  temporaryFolder,
  thimble,
  until,
} from '../../e2e/world.js';
import { describeWithTools } from '../../tools.js';
import { elfFor } from '../firmware/firmware-files.js';
import { expectRefusal } from './command.js';

const SEED = 42;
const SERIAL = '0000002a';
const CLIENTS = ['mosquitto_pub', 'mosquitto_sub'];
/** A board of each kind that is not V8 in this process. */
const WAMR = 'linux-wamr';
const EMULATED = 'stm32vldiscovery';

/** Waits for the light's broker, and for the light there. */
async function lightOn(program: Program): Promise<{ mqtt: number; sub: Program }> {
  const mqtt = Number(await until('the port', () => /TCP port (\d+)\n/.exec(program.errors)?.[1]));
  const sub = await subscribe(mqtt, 'home/#');
  await sub.line(new RegExp(`^1 [01] home/light-${SERIAL}/status online$`));
  return { mqtt, sub };
}

async function switchOn(mqtt: number, sub: Program): Promise<void> {
  await publish(mqtt, `home/light-${SERIAL}/set`, '{"on":true}', '-q', '2');
  await sub.line(new RegExp(`^1 0 home/light-${SERIAL}/state \\{"seq":2,"on":true\\}$`));
}

describeWithTools(CLIENTS, 'thimble run', () => {
  it('has a broker of its own where it is to', async () => {
    const light = thimble('run', 'light', '--own-broker', '0', '--seed', `${SEED}`, '--json');
    const { mqtt, sub } = await lightOn(light);
    await switchOn(mqtt, sub);
    expect(await light.stop('SIGINT')).toBe(0);
    expect(JSON.parse(light.lines.join('\n'))).toMatchObject({ serial: SERIAL, gatewayLost: 0 });
  });

  it('goes on from the state in a file after it was killed', async () => {
    const { mqtt, sn } = await startBroker();
    const [file, module] = [join(temporaryFolder(), 'light.state'), join(temporaryFolder(), 'light.wasm')];
    // A process has another port than the one before: the gateway takes it for a stranger, and the client connects anew.
    const impatient = ['--use', 'T_RETRY_MS=300', '--use', 'RECONNECT_MS_MAX=600'];
    expect(await thimble('build', 'light', ...impatient, '--out', module).exit()).toBe(0);
    const args = ['run', module, '--gateway', `${HOST}:${sn}`, '--seed', `${SEED}`, '--state', file, '--verbose'];
    const first = thimble(...args);
    const sub = await subscribe(mqtt, 'home/#');
    await sub.line(/\/state \{"seq":1,"on":false\}$/);
    await switchOn(mqtt, sub);
    await first.stop('SIGKILL');
    expect(first.errors).toContain('started: power\n');
    expect(existsSync(file)).toBe(true);
    const second = thimble(...args);
    await until('the light as it was', () => second.errors.includes('resumed\n'));
    await sub.line(/state \{"seq":3,"on":true\}$/); // anew it would be the first, and off
    expect(await second.stop('SIGTERM')).toBe(0);
  });

  it('begins anew where the file holds no state of this application', async () => {
    const file = join(temporaryFolder(), 'light.state');
    new StateFile(file, Uint8Array.of(1)).keep(new Uint8Array(100));
    const others = readFileSync(file);
    const light = thimble('run', 'light', '--own-broker', '0', '--seed', `${SEED}`, '--state', file, '--verbose');
    await lightOn(light);
    expect(light.errors).toContain('started: power\n');
    await light.stop('SIGKILL');
    expect(light.errors).toContain(`the state in ${file} is of another module`);
    expect(readFileSync(`${file}.old`).equals(others)).toBe(true);
  });
});

for (const name of [WAMR, EMULATED]) {
  describeWithTools([...CLIENTS, ...toolsOf(readBoard(name))], `thimble run --board ${name}`, () => {
    it('builds the application, runs it, and switches it off', async () => {
      const light = thimble('run', 'light', '--board', name, '--own-broker', '0', '--seed', `${SEED}`, '--json');
      const { mqtt, sub } = await lightOn(light);
      await switchOn(mqtt, sub);
      expect(light.errors).toContain(`${name} info: started: power\n`);
      expect(await light.stop('SIGINT')).toBe(0);
      expect(JSON.parse(light.lines.join('\n'))).toMatchObject({
        serial: SERIAL,
        board: name,
        resets: { trap: 0, watchdog: 0 },
      });
    });
  });
}

const OF_ANOTHER = join(temporaryFolder(), 'light.elf');
writeFileSync(OF_ANOTHER, elfFor(readBoard('microbit')));

describe('thimble run refuses', () => {
  it.each([
    [['light', '--board', 'nope'], 'ERR_BOARD', ['nope', WAMR]],
    [['light', '--board', 'zephyr'], 'ERR_BOARD_RUN', ['zephyr', 'README']],
    [['light.elf'], 'ERR_BOARD_RUN', ['--board']],
    [['light.wasm', '--board', EMULATED], 'ERR_BOARD_RUN', ['light.wasm', EMULATED]],
    [[OF_ANOTHER, '--board', EMULATED], 'ERR_BOARD_FOREIGN', [OF_ANOTHER, EMULATED, 'microbit']],
    [['light', '--board', EMULATED, '--state', 'file'], 'ERR_USAGE_STATE', [EMULATED]],
    [['light', '--board', EMULATED, '--broadcast', '127.255.255.255:9'], 'ERR_USAGE_BROADCAST', [EMULATED]],
    [['light', '--own-broker', '0', '--gateway', '127.0.0.1:9'], 'ERR_USAGE_GATEWAY', ['--own-broker']],
    [['light', '--own-broker', 'x'], 'ERR_USAGE_PORT', ['--own-broker']],
  ])('%j', async (args, code, mentions) => {
    await expectRefusal(['run', ...args], code, mentions);
  });

  it.each([[], ['--board', WAMR]])(
    'a state where none can be kept, before it builds or opens anything (%j)',
    async (...on) => {
      const folder = temporaryFolder();
      const key = join(folder, 'key.pem');
      writeFileSync(key, '-----BEGIN PRIVATE KEY-----');
      const missing = join(folder, 'nowhere', 'state');
      const run = ['run', 'light', ...on, '--own-broker', '0', '--state'];
      await expectRefusal([...run, key], 'ERR_STATE_FOREIGN', [key]);
      await expectRefusal([...run, folder], 'ERR_STATE_FILE', [folder]);
      await expectRefusal([...run, missing], 'ERR_STATE_FILE', [missing]);
      expect(readFileSync(key, 'utf8')).toBe('-----BEGIN PRIVATE KEY-----');
    },
  );
});
