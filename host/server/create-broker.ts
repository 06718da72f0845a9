// Puts a broker together: the core, its clock, its listeners, its journal, who may come in, and what it says of itself.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Broker } from '../broker/broker.js';
import { BrokerError } from '../broker/errors.js';
import { SysTopics } from '../broker/sys-topics.js';
import { PACKAGE_ROOT } from '../firmware/paths.js';
import { BrokerTimer } from '../net/broker-timer.js';
import { monotonicNow } from '../net/clock.js';
import { openListeners } from '../net/listeners.js';
import type { Random } from '../ports.js';
import type { StoreError } from '../store/error.js';
import { openDoor } from './doors.js';
import { openKept } from './kept.js';
import { auditLog, limitedLog } from './logs.js';
import { Observers } from './observers.js';
import type { BrokerListener, BrokerOptions } from './options.js';
import { RunningBroker } from './running-broker.js';

/** Client identifiers that are made up must not be guessed: whoever knows one may take its session over. */
const SYSTEM_RANDOM: Random = { nextU32: () => randomBytes(4).readUInt32LE() };
const HOST_DEFAULT = '127.0.0.1';
const SYS_INTERVAL_MS_DEFAULT = 10_000;
const SYS_INTERVAL_MS_MIN = 100;

/**
 * Starts a broker. Rejects, with nothing left open, with BrokerError (ERR_BROKER_CONFIG, ERR_BROKER_RECORD), TcpListenError,
 * TlsListenError, ListenerSpecError, IdentityError and StoreError.
 */
export async function createBroker(options: BrokerOptions = {}): Promise<RunningBroker> {
  const { listeners: given = [{ kind: 'mqtt' }], limits = {}, listenerLimits, data } = options;
  const sysIntervalMs = intervalOf(options.sysIntervalMs);
  if (data === undefined && options.durability !== undefined) {
    throw new BrokerError('ERR_BROKER_CONFIG', 'durability says nothing without data, the folder that it is about');
  }
  if (data === '') throw new BrokerError('ERR_BROKER_CONFIG', 'data is empty; it must be the name of a folder');
  const hasIdentity = options.identity !== undefined || options.hooks !== undefined;
  const log = limitedLog(auditLog(options.log ?? (() => {}), hasIdentity), monotonicNow);
  const access = await openDoor(options, log);
  const observers = new Observers();
  const closing: (() => Promise<void> | void)[] = [];
  try {
    const { durability = 'disk', onFailure = failLoudly } = options;
    const kept = data === undefined ? undefined : await openKept(data, durability, { log, failed: onFailure });
    if (kept !== undefined) closing.push(() => kept.close());
    const broker = new Broker(
      { ...limits, ...(access && { access }) },
      {
        random: SYSTEM_RANDOM,
        log,
        ...(kept && { durable: kept.state }),
        wake: () => pulse.timer.wake(),
        published: (message, clientId) => observers.take(message, clientId),
      },
    );
    const pulse = new Pulse(broker, sysIntervalMs);
    closing.push(() => pulse.stop());
    broker.restore(monotonicNow());
    pulse.start();
    const specs = given.map((one) => ({ host: HOST_DEFAULT, port: 0, ...one }));
    const listeners = await openListeners(broker, specs, {
      log,
      timer: pulse.timer,
      ...(listenerLimits && { limits: listenerLimits }),
    });
    const paths = given.map(({ path }: BrokerListener) => path);
    return new RunningBroker({ broker, listeners, paths, observers, kept, stopped: () => pulse.stop() });
  } catch (error) {
    for (const close of closing.reverse()) await close();
    throw error;
  }
}

/** What makes time pass for a broker: its deadlines, and the moments at which it speaks of itself. */
class Pulse {
  readonly timer: BrokerTimer;
  private readonly topics: SysTopics | undefined;
  private interval: NodeJS.Timeout | undefined;

  constructor(
    broker: Broker,
    private readonly sysIntervalMs: number,
  ) {
    this.timer = new BrokerTimer(broker, monotonicNow);
    if (sysIntervalMs > 0) this.topics = new SysTopics(broker, { version: versionOf(), startedAt: monotonicNow() });
  }

  start(): void {
    this.timer.wake();
    const { topics } = this;
    if (topics === undefined) return;
    topics.publish(monotonicNow());
    this.interval = setInterval(() => topics.publish(monotonicNow()), this.sysIntervalMs);
    this.interval.unref();
  }

  stop(): void {
    clearInterval(this.interval);
    this.timer.stop();
  }
}

function intervalOf(ms = SYS_INTERVAL_MS_DEFAULT): number {
  if (ms === 0 || (Number.isInteger(ms) && ms >= SYS_INTERVAL_MS_MIN)) return ms;
  const what = `sysIntervalMs is ${ms}; it must be 0 (never), or a whole number from ${SYS_INTERVAL_MS_MIN}`;
  throw new BrokerError('ERR_BROKER_CONFIG', what);
}

function versionOf(): string {
  const { version } = JSON.parse(readFileSync(join(PACKAGE_ROOT, 'package.json'), 'utf8')) as { version: string };
  return `thimble ${version}`;
}

/** To whoever did not ask to be told: what is not kept must not go on as if it were. */
function failLoudly(error: StoreError): void {
  queueMicrotask(() => {
    throw error;
  });
}
