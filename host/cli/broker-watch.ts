// What a person has to know of the broker behind the gateway, in words and without a flood: that it is away and why, that it is
// back, and that somebody seems to be there under the same client id.
import type { Log, Millis } from '../ports.js';

export interface BrokerWatchOptions {
  /** The gateway's own client id at the broker. */
  readonly clientId: string;
  /** How many nodes the broker has; 1 for our own. */
  readonly nodes: number;
  readonly clock: () => Millis;
  readonly say: (text: string) => void;
}

/** A connection that lasts so long is a good one; losses further apart have nothing to do with each other, ms. */
const CALM_MS = 60_000;
/** So many losses within CALM_MS are said in one sentence. */
const LOSSES_MAX = 3;

const CLOSED = 'it ended the connection';
const UNREACHABLE = 'the network does not reach it';
const UNNAMED = 'no address is known for its name';
const SILENT = 'it did not answer in time';

/** Reasons as they are logged: of the system, of MQTT.js, and CONNACK and DISCONNECT of MQTT 3.1.1 and 5 (5: 2.4). */
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ENOTFOUND: UNNAMED,
  EAI_AGAIN: UNNAMED,
  ETIMEDOUT: UNREACHABLE,
  EHOSTUNREACH: UNREACHABLE,
  ENETUNREACH: UNREACHABLE,
  ECONNRESET: CLOSED,
  EPIPE: CLOSED,
  'connection-lost': CLOSED,
  timeout: SILENT,
  'connack timeout': SILENT,
  'Keepalive timeout': 'it fell silent',
  'refused-1': 'it does not speak this version of MQTT',
  'refused-2': 'it does not take the client id',
  'refused-3': 'it is not ready',
  'refused-4': 'it does not take the user name and the password',
  'refused-5': 'it does not let the gateway in; a user name and a password may be missing or wrong',
  'refused-132': 'it does not speak this version of MQTT',
  'refused-133': 'it does not take the client id',
  'refused-134': 'it does not take the user name and the password',
  'refused-135': 'it does not let the gateway in; a user name and a password may be missing or wrong',
  'refused-136': 'it is not ready',
  'refused-137': 'it is busy',
  'disconnected-139': 'it is shutting down',
  'disconnected-142': 'another client came under the same client id',
};

/** Of the gateway's own session, and of the connection that an aggregating gateway has instead of many. */
const UP = ['upstream-up', 'upstream-connected'];
const DOWN = ['upstream-down', 'upstream-lost'];
/** What an aggregating gateway tells its sessions, whatever has become of its connection. */
const NO_REASON = 'upstream-lost';

/** A log that says what matters of the broker to a person; all else it ignores. */
export function watchBroker(options: BrokerWatchOptions): Log {
  const watch = new BrokerWatch(options);
  return (_level, event, fields = {}) => {
    if (UP.includes(event)) watch.up();
    if (DOWN.includes(event) && fields.reason !== NO_REASON) watch.down(String(fields.reason));
    if (event === 'upstream-attempt-failed' && fields.clientId === options.clientId) {
      watch.failed(String(fields.node), String(fields.reason));
    }
  };
}

class BrokerWatch {
  private upAt: Millis | undefined;
  /** Of connections that stood, within CALM_MS. */
  private losses: Millis[] = [];
  /** Reasons that were said since the broker was last there in good order. */
  private readonly said = new Set<string>();
  private readonly failedNodes = new Set<string>();
  private isSaidToBeAway = false;
  private isUnsteady = false;

  constructor(private readonly options: BrokerWatchOptions) {}

  up(): void {
    this.upAt ??= this.options.clock();
    this.failedNodes.clear();
    if (this.isSaidToBeAway) this.options.say('the broker is there again');
    this.isSaidToBeAway = false;
  }

  /** Of attempts that fail an aggregating gateway hears nothing: this is all that tells why. */
  failed(node: string, reason: string): void {
    this.failedNodes.add(node);
    if (reason.startsWith('refused-') || this.failedNodes.size === this.options.nodes) this.down(reason);
  }

  down(reason: string): void {
    const what = this.upAt === undefined ? 'out of reach' : 'lost';
    if (this.upAt !== undefined) this.countLoss(this.upAt, this.options.clock());
    this.upAt = undefined;
    if (!this.isUnsteady && this.losses.length >= LOSSES_MAX) this.sayUnsteady(reason);
    // That nothing was heard in time adds nothing to a reason.
    if (this.said.has(reason) || (reason === 'timeout' && this.said.size > 0)) return;
    this.said.add(reason);
    this.isSaidToBeAway = true;
    this.options.say(
      `the broker is ${what}: ${inWords(reason)}; trying again, and clients cannot connect until it is there`,
    );
  }

  private countLoss(upAt: Millis, now: Millis): void {
    if (now - upAt >= CALM_MS) this.isUnsteady = false;
    this.losses = [...this.losses.filter((at) => now - at < CALM_MS), now];
    if (!this.isUnsteady) this.said.clear();
  }

  private sayUnsteady(reason: string): void {
    this.isUnsteady = true;
    this.said.add(reason);
    this.options.say(
      `the broker is lost again and again shortly after it came: ${inWords(reason)}. Another client may use the client id ` +
        `"${this.options.clientId}": give each gateway a gwId (or a connectionlessClientId) of its own in --config. ` +
        'Trying on, and silent about this until a connection has lasted for a minute',
    );
  }
}

function inWords(reason: string): string {
  const words = WORDS[reason];
  return words === undefined ? reason : `${words} (${reason})`;
}
