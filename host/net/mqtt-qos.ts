// The highest QoS that a broker can do. MQTT 5 says it in CONNACK; in 3.1.1 nobody says it, and a PUBLISH above it ends the
// connection. So one session asks for a subscription at QoS 2, which harms nothing, and looks at what is granted.
import type { Log, Qos } from '../ports.js';

/** What is subscribed to for the answer's sake, and unsubscribed from at once. Brokers with access lists should allow it. */
export const PROBE_FILTER = 'thimble/probe';

/** A session that has its CONNACK and waits for the answer. */
export interface Candidate {
  /** Asks the broker; to be answered with `QosKnowledge.granted`. */
  probe(): void;
  /** The answer is there. */
  proceed(): void;
}

/** A broker that says nothing to a SUBSCRIBE at QoS 2 does not know QoS 2 (AWS IoT Core is documented to do so), ms. */
const PROBE_MS = 5_000;
/** Brokers may hang up instead. Once may be the network's fault; so many times in a row is an answer. */
const HANG_UPS_MAX = 2;

export class QosKnowledge {
  /** As far as is known. What was known before the last connection was lost stands until there is an answer. */
  max: Qos = 2;
  isKnown = false;
  private prober: Candidate | undefined;
  private readonly waiting = new Set<Candidate>();
  private timer: NodeJS.Timeout | undefined;
  private hangUps = 0;
  private connections = 0;

  constructor(private readonly log: Log) {}

  /** Calls `proceed`, at once or once the answer is there; where nobody asks, this candidate does. */
  enter(candidate: Candidate): void {
    if (this.isKnown) {
      candidate.proceed();
      return;
    }
    this.waiting.add(candidate);
    if (this.prober === undefined) this.ask(candidate);
  }

  /** The candidate is no more. `hungUp`: it was the broker or the network that ended it. */
  leave(candidate: Candidate, hungUp: boolean): void {
    this.waiting.delete(candidate);
    if (this.prober !== candidate) return;
    this.stopAsking();
    if (hungUp) this.hangUps++;
    const [next] = this.waiting;
    if (this.hangUps >= HANG_UPS_MAX) this.learn(1);
    else if (next !== undefined) this.ask(next);
  }

  /** What was granted to the probe. A refusal (of the filter, perhaps) says nothing about QoS 2. */
  granted(qos: Qos | undefined): void {
    this.learn(qos ?? 2);
  }

  learn(max: Qos): void {
    if (!this.isKnown || this.max !== max) this.log('info', 'upstream-qos-max', { qosMax: max });
    this.max = max;
    this.isKnown = true;
    this.hangUps = 0;
    this.stopAsking();
    const waiting = [...this.waiting];
    this.waiting.clear();
    for (const candidate of waiting) candidate.proceed();
  }

  connected(): void {
    this.connections++;
  }

  /** After the last one was lost, another broker may stand at the same address. */
  disconnected(isLoss: boolean): void {
    this.connections--;
    if (this.connections === 0 && isLoss) this.isKnown = false;
  }

  private ask(candidate: Candidate): void {
    this.prober = candidate;
    this.timer = setTimeout(() => this.learn(1), PROBE_MS);
    candidate.probe();
  }

  private stopAsking(): void {
    clearTimeout(this.timer);
    this.prober = undefined;
  }
}
