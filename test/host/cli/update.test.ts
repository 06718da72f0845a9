// Updates on real sockets: a device on UDP, our broker and gateway, and the command that publishes.
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type OwnNetwork, openOwnNetwork } from '../../../host/cli/own-network.js';
import { BUILD_DIR } from '../../../host/firmware/paths.js';
import { type StartedBoard, startBoard } from '../../../host/firmware/run/start.js';
import { CONTRACT_TEXT, fromText } from '../firmware/modules.js';
import { Exit, expectRefusal, temporaryFile, temporaryFolder, thimbleWithin } from './command.js';

const SEED = 0x2a;
const TOPIC = 'fleet/0000002a/update';
const pem = (key: ReturnType<typeof generateKeyPairSync>['privateKey']): string =>
  (key as unknown as { export(options: object): string }).export({ format: 'pem', type: 'pkcs8' });

/** A device in the text format: what needs no compiler is there at once. */
function moduleWhosePoll(does: string): Uint8Array {
  const poll = '(func (export "poll") (param i32) (result i32) ';
  const text = CONTRACT_TEXT();
  expect(text).toContain(`${poll}(i32.const 0))`);
  return fromText(`(module ${text.replace(`${poll}(i32.const 0))`, `${poll}${does})`)})`);
}

let folder: string;
let key: string;
let stranger: string;
let old: string;
let next: string;
/** Never says a word. */
let mute: string;
let trapping: string;
const closing: { close(): Promise<void> }[] = [];

beforeAll(() => {
  folder = temporaryFolder();
  const put = (name: string, contents: string | Uint8Array): string => {
    writeFileSync(join(folder, name), contents);
    return join(folder, name);
  };
  put('package.json', '{ "version": "1.0.0" }');
  key = put('key.pem', pem(generateKeyPairSync('ed25519').privateKey));
  stranger = put('stranger.pem', pem(generateKeyPairSync('ed25519').privateKey));
  old = put('updatable.wasm', readFileSync(join(BUILD_DIR, 'apps', 'updatable.wasm')));
  next = put('next.wasm', readFileSync(join(BUILD_DIR, 'apps', 'updatable-next.wasm')));
  mute = put('mute.wasm', moduleWhosePoll('(i32.const 60000)'));
  trapping = put('trapping.wasm', moduleWhosePoll('unreachable'));
});

afterEach(async () => {
  for (const thing of closing.splice(0).reverse()) await thing.close();
});

interface Running {
  readonly network: OwnNetwork;
  readonly board: StartedBoard;
  /** What the board has said. */
  readonly said: string[];
  publish(file: string, ...options: string[]): ReturnType<typeof thimbleWithin>;
}

async function running(trialMs?: number): Promise<Running> {
  const { deviceUpdates } = await import('../../../host/firmware/device-updates.js');
  const network = await openOwnNetwork(0);
  closing.push(network);
  const said: string[] = [];
  const updates = deviceUpdates(old, { key: readFileSync(key), keyFile: key, board: '*', ...(trialMs && { trialMs }) });
  const board = await startBoard({
    module: old,
    gateway: network.gateway,
    seed: SEED,
    updates,
    onLog: (_level, text) => said.push(text),
  });
  closing.push(board);
  return {
    network,
    board,
    said,
    publish: (file, ...options) => {
      const chosen = options.includes('--key') ? options : [...options, '--key', key];
      const broker = `127.0.0.1:${network.mqtt}`;
      return thimbleWithin(['update', file, '--name', 'updatable', '--mqtt', broker, '--topic', TOPIC, ...chosen]);
    },
  };
}

describe('thimble update', () => {
  it('brings a device to a new version, and says when it has confirmed', async () => {
    const { publish, said } = await running();
    const { exit, stdout, stderr } = await publish(next, '--app-version', '1.1.0');
    expect(stdout).toMatch(
      /^updatable 1\.1\.0: \d+ chunks to fleet\/0000002a\/update; status at fleet\/0000002a\/status\n/,
    );
    expect(stdout).toContain('updatable 1.1.0 runs there and has confirmed');
    expect(stderr).toMatch(/^(\d+ of \d+ chunks there\n)+$/);
    expect(exit).toBe(Exit.Done);
    expect(said).toEqual(['started: power', 'an update is complete and starts', 'started: power']);
  });

  it('finds out that another module of the version runs already, and says what to do', async () => {
    const { publish, said } = await running();
    expect((await publish(next, '--app-version', '1.1.0')).exit).toBe(Exit.Done);
    const { exit, stdout, stderr } = await publish(mute, '--app-version', '1.1.0');
    expect(stdout).not.toContain('runs there');
    expect(stderr).toMatch(
      /1\.1\.0 runs there already, and not from this update; [^\n]*higher --app-version[^\n]*\(-52\)[^\n]*\[ERR_UPDATE_REFUSED\]/,
    );
    expect(exit).toBe(Exit.Failed);
    expect(said.filter((line) => line.includes('update'))).toHaveLength(1);
  });

  it('prints one JSON document, and finds out soon what runs already', async () => {
    const { publish } = await running();
    const options = ['--app-version', '1.1.0', '--chunk', '240', '--json'];
    const [first, second] = [await publish(next, ...options), await publish(next, ...options)];
    const expected = {
      name: 'updatable',
      version: '1.1.0',
      board: '*',
      chunks: expect.any(Number),
      outcome: 'confirmed',
    };
    expect(JSON.parse(first.stdout)).toEqual(expected);
    expect(JSON.parse(second.stdout)).toEqual(expected);
    expect(second.stderr).toBe(''); // not a chunk
  });

  it.each([
    ['signed by a stranger', () => ['--app-version', '1.1.0', '--key', stranger], -49],
    ['no newer', () => ['--app-version', '0.9.9'], -52],
    ['of another application', () => ['--app-version', '1.1.0', '--name', 'lamp'], -51],
    ['for another board', () => ['--app-version', '1.1.0', '--board', 'attic'], -51],
  ])('says why an update is refused that is %s, and leaves the device as it is', async (_what, options, code) => {
    const { publish, said } = await running();
    const { exit, stderr } = await publish(next, ...options());
    expect(stderr).toMatch(
      new RegExp(`thimble: [^\\n]*is refused: [^\\n]*\\(${code}\\); nothing has changed \\[ERR_UPDATE_REFUSED\\]\\n$`),
    );
    expect(exit).toBe(Exit.Failed);
    expect(said).toEqual(['started: power']);
  });

  it('says as what an update was sent that is for another application or board', async () => {
    const { publish } = await running();
    const { stderr } = await publish(next, '--app-version', '1.1.0', '--name', 'lamp', '--board', 'attic');
    expect(stderr).toMatch(/sent as "lamp" \(by --name\), contract \d, for the board "attic"; --board says otherwise/);
  });

  it('says when a device goes back, and why it does not try again', async () => {
    const { publish, said } = await running();
    const { exit, stderr } = await publish(trapping, '--app-version', '1.1.0');
    expect(stderr).toContain('what was there before is back [ERR_UPDATE_ROLLED_BACK]');
    expect(exit).toBe(Exit.Failed);
    expect(said.filter((line) => line.includes('ERR_DEVICE_TRAP'))).toHaveLength(1);
    expect((await publish(trapping, '--app-version', '1.1.0')).stderr).toMatch(
      /rolled back there before; --again.*-53/,
    );
  });

  it('sees a device go back that does not confirm in time', async () => {
    const { publish, said } = await running(300);
    const { stderr } = await publish(mute, '--app-version', '1.1.0');
    expect(stderr).toContain('[ERR_UPDATE_ROLLED_BACK]');
    expect(said).toContain('the update did not confirm that it works in time; what was there before starts again');
  });

  it('refuses what cannot work before anything is sent', async () => {
    const good = ['update', next, '--topic', TOPIC, '--key', key];
    await expectRefusal([...good, '--mqtt', 'nowhere'], 'ERR_USAGE_UPSTREAM', ['--mqtt', 'HOST:PORT']);
    await expectRefusal([...good, '--status', 'fleet/+'], 'ERR_USAGE_TOPIC', ['--status']);
    await expectRefusal([...good, '--chunk', '8'], 'ERR_USAGE_NUMBER', ['--chunk', '32']);
    await expectRefusal([...good, '--wait', '0'], 'ERR_USAGE_NUMBER', ['--wait']);
    const noModule = temporaryFile('no.wasm', 'no module');
    await expectRefusal(['update', noModule, '--topic', TOPIC, '--key', key], 'ERR_MODULE_LOAD', ['no.wasm']);
    await expectRefusal(['update', next, '--topic', TOPIC, '--key', next], 'ERR_KEY', ['openssl']);
    await expectRefusal([...good, '--app-version', '1.2'], 'ERR_UPDATE_HEADER', ['1.2.3']);
  });

  it('says which devices that it runs take no updates', async () => {
    const run = ['run', old, '--update-key', key];
    await expectRefusal([...run, '--board', 'microbit'], 'ERR_USAGE_UPDATES', ['microbit', 'linux-wamr', 'native-sim']);
    await expectRefusal([...run, '--state', join(folder, 'state')], 'ERR_USAGE_STATE', ['--state', '--update-key']);
    await expectRefusal(['run', old, '--update-key', old], 'ERR_KEY', ['--update-key', 'updatable.wasm', 'openssl']);
    await expectRefusal(['run', old, '--update-key', `${key}.no`], 'ERR_USAGE_FILE', ['--update-key', 'key.pem.no']);
  });

  it('says that the broker cannot be reached', async () => {
    const { exit, stderr } = await thimbleWithin([
      'update',
      next,
      '--topic',
      TOPIC,
      '--key',
      key,
      '--mqtt',
      '127.0.0.1:1',
    ]);
    expect(stderr).toMatch(/the broker is lost: .*\[ERR_UPDATE_DISCONNECTED\]/);
    expect(exit).toBe(Exit.Failed);
  });
});
