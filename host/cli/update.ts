// thimble update: a module, signed, on its way to a device over any MQTT broker.
import { randomBytes } from 'node:crypto';
import { basename } from 'node:path';
import { ABI_VERSION, ErrorCode } from '../../assembly/protocol/index.js';
import { isValidTopicName } from '../core/topics.js';
import { DeviceModule } from '../device/device.js';
import { identityOf } from '../firmware/identity.js';
import { parseSigningKey } from '../firmware/manifest.js';
import { signUpdate, type UpdateOptions } from '../firmware/sign-update.js';
import { monotonicNow } from '../net/clock.js';
import { MqttUpstream } from '../net/mqtt-upstream.js';
import { parseAddress } from '../net/udp.js';
import { CHUNK_BYTES_DEFAULT, CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, cut } from '../update/chunks.js';
import { ANY_BOARD } from '../update/header.js';
import { Publisher, type PublisherOptions } from '../update/publisher.js';
import type { UpdateOutcome } from '../update/sender.js';
import { UsageError } from './failure.js';
import { readInput } from './files.js';
import { wholeNumber } from './numbers.js';
import { count, print, printJson } from './output.js';

export interface UpdateCommandOptions {
  readonly mqtt: string;
  readonly topic: string;
  readonly status?: string;
  readonly key: string;
  readonly name?: string;
  readonly appVersion?: string;
  readonly board?: string;
  readonly chunk?: string;
  readonly wait?: string;
  readonly downgrade?: boolean;
  readonly again?: boolean;
  readonly json?: boolean;
}

/** The device, or the broker, would not have it. */
export class UpdateFailure extends Error {
  override readonly name = 'UpdateFailure';

  constructor(
    readonly code: 'ERR_UPDATE_REFUSED' | 'ERR_UPDATE_ROLLED_BACK' | 'ERR_UPDATE_STUCK' | 'ERR_UPDATE_DISCONNECTED',
    message: string,
  ) {
    super(message);
  }
}

const MS_PER_S = 1000;
const WAIT_S_DEFAULT = 600;
const WAIT_S_MAX = 86_400;
const POLL_MS = 500;

export async function runUpdate(file: string, options: UpdateCommandOptions): Promise<void> {
  const url = brokerUrl(options.mqtt);
  const status = options.status ?? options.topic.replace(/[^/]*$/, 'status');
  checkTopic('--topic', options.topic);
  checkTopic('--status', status);
  const chunkBytes =
    options.chunk === undefined
      ? CHUNK_BYTES_DEFAULT
      : wholeNumber('--chunk', options.chunk, CHUNK_BYTES_MIN, CHUNK_BYTES_MAX);
  const waitS = options.wait === undefined ? WAIT_S_DEFAULT : wholeNumber('--wait', options.wait, 1, WAIT_S_MAX);
  const key = parseSigningKey(readInput('--key', options.key), `--key ${options.key}`);
  const module = readInput('the module', file);
  new DeviceModule(module, basename(file)); // what does not load here would be rolled back there
  const known = identityOf(file, module);
  const what = {
    name: options.name ?? known.name,
    version: options.appVersion ?? known.version,
    board: options.board ?? known.board,
  };
  const chunks = cut(signUpdate(module, { ...options, ...what }, key), chunkBytes);
  if (options.json !== true) {
    print(`${what.name} ${what.version}: ${count(chunks.length, 'chunk')} to ${options.topic}; status at ${status}`);
  }
  const { topic } = options;
  const outcome = await publish(url, { chunks, version: what.version, topic, status, outcomeMs: waitS * MS_PER_S });
  const failure = failureOf(outcome, what, options, waitS);
  if (failure !== undefined) throw failure;
  if (options.json === true) printJson({ ...what, chunks: chunks.length, outcome: outcome.kind });
  else print(`${what.name} ${what.version} runs there and has confirmed`);
}

async function publish(url: string, options: Omit<PublisherOptions, 'clientId'>): Promise<UpdateOutcome> {
  const upstream = new MqttUpstream({ urls: [url], clock: monotonicNow });
  const clientId = `thimble-update-${randomBytes(4).toString('hex')}`;
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<UpdateOutcome>((resolve) => {
      const publisher = new Publisher({ ...options, clientId }, upstream, {
        done: resolve,
        progress: (chunks, total) => process.stderr.write(`${chunks} of ${count(total, 'chunk')} there\n`),
      });
      publisher.start(monotonicNow());
      timer = setInterval(() => publisher.poll(monotonicNow()), POLL_MS);
    });
  } finally {
    clearInterval(timer);
    await upstream.close();
  }
}

/** What is sent, and to whom. */
type Sent = Pick<UpdateOptions, 'name' | 'version' | 'board'>;

function failureOf(
  outcome: UpdateOutcome,
  sent: Sent,
  options: UpdateCommandOptions,
  waitS: number,
): UpdateFailure | undefined {
  const what = `${sent.name} ${sent.version}`;
  switch (outcome.kind) {
    case 'confirmed':
      return undefined;
    case 'refused':
      return new UpdateFailure(
        'ERR_UPDATE_REFUSED',
        `${what} is refused: ${reasonOf(outcome, sent, options)} (${outcome.code}); nothing has changed`,
      );
    case 'rolled-back':
      return new UpdateFailure(
        'ERR_UPDATE_ROLLED_BACK',
        `${what} was started and did not confirm that it works: what was there before is back`,
      );
    case 'stuck':
      return new UpdateFailure(
        'ERR_UPDATE_STUCK',
        outcome.isThere === true
          ? `${sent.version} runs there already, and the device does not say whether as this module; ${HIGHER}`
          : `${what} gets no further: the device says nothing new, or has not confirmed within ${waitS} s`,
      );
    case 'disconnected':
      return new UpdateFailure('ERR_UPDATE_DISCONNECTED', `the broker is lost: ${outcome.reason}`);
  }
}

const HIGHER = 'give a new module a higher --app-version';

const REASONS: Readonly<Record<number, string>> = {
  [ErrorCode.TooLong]: 'it is larger than a slot of the board',
  [ErrorCode.WrongState]: 'another update is on trial there, or the board takes none',
  [ErrorCode.UpdateFormat]: 'the board does not know its format',
  [ErrorCode.UpdateSignature]: 'the board does not trust the key',
  [ErrorCode.UpdateDamaged]: 'it arrived damaged',
  [ErrorCode.UpdateVersion]: 'it is no newer than what runs there; --downgrade allows that',
  [ErrorCode.UpdateFailed]: 'it was rolled back there before; --again allows another try',
  [ErrorCode.UpdateStorage]: "the board's memory for updates could not be written",
};

function reasonOf(
  { code, isThere }: UpdateOutcome & { kind: 'refused' },
  { name, version, board }: Sent,
  options: UpdateCommandOptions,
): string {
  if (code === ErrorCode.UpdateForeign) {
    const from = options.name === undefined ? "its file's or manifest's name; --name gives another" : 'by --name';
    const to = board === ANY_BOARD ? 'for any board' : `for the board "${board}"; --board says otherwise`;
    return (
      'the device runs another application, board or version of the contract. ' +
      `It was sent as "${name}" (${from}), contract ${ABI_VERSION}, ${to}`
    );
  }
  if (code === ErrorCode.UpdateVersion && isThere === true) {
    return `${version} runs there already, and not from this update; ${HIGHER}, or allow the same one by --downgrade`;
  }
  return REASONS[code] ?? 'the board says no';
}

/** HOST:PORT, or a URL. */
function brokerUrl(text: string): string {
  if (text.includes('://')) return text;
  const address = parseAddress(text);
  if (address !== undefined && address.port > 0) return `mqtt://${text}`;
  throw new UsageError('ERR_USAGE_UPSTREAM', `--mqtt ${text}: HOST:PORT, such as 127.0.0.1:1883, or a URL`);
}

function checkTopic(option: string, topic: string): void {
  if (isValidTopicName(topic)) return;
  throw new UsageError('ERR_USAGE_TOPIC', `${option} "${topic}": a topic name, without + and #`);
}
