// One client's connection: from its first packet to its end. What the packets mean once it is open is in exchange.ts.
import type { Timer } from '../core/timer-queue.js';
import type { Message, Millis } from '../ports.js';
import type { Client } from './config.js';
import { admit, clientIdOf, protocolOf, willOf } from './connecting.js';
import type { CloseReason } from './errors.js';
import { exchange, type Open } from './exchange.js';
import { ConnackCode, type ConnectPacket, LEVEL_MQTT_3_1, type Packet } from './packets.js';
import type { Due, Wire } from './session.js';
import type { BrokerState } from './state.js';
import { type Clause, violationOf } from './violations.js';

const MS_PER_SECOND = 1_000;
/** [MQTT-3.1.2-24]. */
const KEEP_ALIVE_GRACE = 1.5;

/**
 * The far end of a connection, as the broker sees it. The broker may call it at any moment of its own work; what is said
 * to the broker from inside such a call is heard after that work (turn.ts).
 */
export interface Sink {
  /** Takes a packet to the client. Packets are shared and must not be changed; `encoded` is the encoder's. */
  send(packet: Packet, now: Millis): void;
  /** The broker is done with the connection: nothing is sent any more, and what arrives is ignored. Not after `closed`. */
  close(reason: CloseReason, now: Millis): void;
  /**
   * True while the client reads more slowly than it is sent to: PUBLISHes then wait in the session until `drained` is
   * called. Absent: never.
   */
  isCongested?(): boolean;
}

enum Phase {
  AwaitConnect,
  Open,
  Closed,
}

export class Connection implements Wire, Due {
  private phase = Phase.AwaitConnect;
  /** From CONNECT to the end. */
  private open: Open | undefined;
  private will: Message | undefined;
  private timer: Timer<Due> | undefined;
  private keepAliveMs = 0;
  private lastReceivedMs: Millis;

  /** Connections are made by `Broker.accept`. */
  constructor(
    private readonly state: BrokerState,
    private readonly sink: Sink,
    private readonly peer: unknown,
    now: Millis,
  ) {
    this.lastReceivedMs = now;
    state.counters.connections++;
    state.connections.add(this);
    state.counters.connectionsNow = state.connections.size;
    const { connectTimeoutMs } = state.config;
    if (connectTimeoutMs < Number.POSITIVE_INFINITY) this.timer = state.timers.set(now + connectTimeoutMs, this);
  }

  /** Who is connected, while the connection is open. */
  get client(): Client | undefined {
    return this.open?.client;
  }

  get isClosed(): boolean {
    return this.phase === Phase.Closed;
  }

  /** A packet from the client. Its payload now belongs to the broker. Ignored once the connection is closed. */
  receive(packet: Packet, now: Millis): void {
    this.state.turn.run(() => this.take(packet, now));
  }

  /** The network connection is gone. Without a DISCONNECT before, the will is published [MQTT-3.1.2-8]. */
  closed(now: Millis): void {
    this.state.turn.run(() => this.end('network', now));
  }

  /** The client has read what congested it. */
  drained(now: Millis): void {
    this.state.turn.run(() => this.open?.session.pump(now));
  }

  /** The adapter gives the connection up: bytes that are no packet, or a client that does not read. */
  abandon(reason: 'malformed' | 'slow', why: string, now: Millis): void {
    this.state.turn.run(() => {
      if (this.phase === Phase.Closed) return;
      if (reason === 'malformed') this.state.counters.malformed++;
      this.state.log('info', `connection-${reason}`, { clientId: this.client?.clientId, why });
      this.end(reason, now);
    });
  }

  /** For the broker's own files: the broker stops. */
  stop(now: Millis): void {
    this.end('stopped', now);
  }

  /** For the session: whether PUBLISHes must wait. */
  isCongested(): boolean {
    return this.sink.isCongested?.() ?? false;
  }

  /** For the broker's own files: sends and counts. */
  send(packet: Packet, now: Millis): void {
    if (packet.cmd === 'publish') {
      const { counters } = this.state;
      if (packet.qos === 0) counters.messagesOutQos0++;
      else if (packet.qos === 1) counters.messagesOutQos1++;
      else counters.messagesOutQos2++;
      if (packet.retain) counters.retainedSent++;
    }
    this.sink.send(packet, now);
  }

  /** For the broker's own files: the client broke a rule, which ends the connection [MQTT-4.8.0-1]. */
  violate(clause: Clause, now: Millis): void {
    this.state.counters.violations++;
    this.state.log('info', 'connection-violation', { clientId: this.client?.clientId, clause });
    this.end('violation', now);
  }

  /** For the broker's own files: DISCONNECT, which takes the will back [MQTT-3.14.4-3]. */
  disconnect(now: Millis): void {
    this.will = undefined;
    this.end('disconnect', now);
  }

  /** The timer: connect timeout or keep-alive. It is not moved at each packet; it looks back when it fires. */
  due(now: Millis): void {
    this.timer = undefined;
    if (this.phase === Phase.AwaitConnect) {
      this.state.counters.connectTimeouts++;
      this.end('connect-timeout', now);
      return;
    }
    const deadline = this.lastReceivedMs + this.keepAliveMs;
    if (now < deadline) {
      this.timer = this.state.timers.set(deadline, this);
      return;
    }
    this.state.counters.keepAliveTimeouts++;
    this.end('keep-alive', now);
  }

  private take(packet: Packet, now: Millis): void {
    if (this.phase === Phase.Closed) return;
    this.lastReceivedMs = now;
    if (this.open === undefined) {
      if (packet.cmd === 'connect') this.connect(packet, now);
      else this.violate('MQTT-3.1.0-1', now);
      return;
    }
    const clause = packet.cmd === 'connect' ? 'MQTT-3.1.0-2' : violationOf(packet);
    if (clause !== undefined) this.violate(clause, now);
    else exchange(this.open, packet, now);
  }

  private connect(packet: ConnectPacket, now: Millis): void {
    const clause = clauseOf(packet);
    if (clause !== undefined) {
      this.violate(clause, now);
      return;
    }
    const answer = this.judge(packet);
    if (typeof answer === 'object') this.enter(packet, answer, now);
    else this.refuse(answer, now);
  }

  /** Who the client is, or why it may not come in; in the order of section 3.2.2.3. */
  private judge(packet: ConnectPacket): Client | ConnackCode {
    if (protocolOf(packet) === 'other-level') return ConnackCode.UnacceptableProtocolVersion;
    const clientId = clientIdOf(packet, this.state.sessions, this.state.random);
    if (clientId === undefined) return ConnackCode.IdentifierRejected;
    const client: Client = { clientId, username: packet.username, peer: this.peer };
    const code = admit(this.state, packet, client);
    return code === ConnackCode.Accepted ? client : code;
  }

  private enter(packet: ConnectPacket, client: Client, now: Millis): void {
    const { state } = this;
    state.sessions.get(client.clientId)?.wire?.takeOver(now); // [MQTT-3.1.4-2]
    const { session, present } = state.sessions.open(client.clientId, packet.clean ?? true);
    this.phase = Phase.Open;
    this.open = { state, connection: this, session, client };
    this.will = willOf(packet);
    session.wire = this;
    this.armKeepAlive(packet.keepalive ?? 0, now);
    state.log('debug', 'connection-open', { clientId: client.clientId, clean: session.isClean, present });
    // MQTT 3.1 has no Session Present: its clients find a reserved byte there.
    const sessionPresent = present && packet.protocolVersion !== LEVEL_MQTT_3_1; // [MQTT-3.2.2-2]
    this.send({ cmd: 'connack', returnCode: ConnackCode.Accepted, sessionPresent }, now);
    if (present) session.resume(now);
  }

  /** For the broker's own files: another connection comes with the same client identifier. */
  takeOver(now: Millis): void {
    this.state.counters.sessionsTakenOver++;
    this.end('taken-over', now);
  }

  private refuse(returnCode: ConnackCode, now: Millis): void {
    this.state.counters.connectionsRefused++;
    this.state.log('info', 'connection-refused', { returnCode });
    this.send({ cmd: 'connack', returnCode, sessionPresent: false }, now); // [MQTT-3.2.2-4]
    this.end('refused', now);
  }

  private armKeepAlive(keepAliveSeconds: number, now: Millis): void {
    if (this.timer !== undefined) this.state.timers.cancel(this.timer);
    this.keepAliveMs = keepAliveSeconds * KEEP_ALIVE_GRACE * MS_PER_SECOND;
    this.timer = this.keepAliveMs === 0 ? undefined : this.state.timers.set(now + this.keepAliveMs, this);
  }

  /** The one end of every connection. The session is let go of first: a client does not hear its own will. */
  private end(reason: CloseReason, now: Millis): void {
    if (this.phase === Phase.Closed) return;
    this.phase = Phase.Closed;
    const { state, open, will } = this;
    if (this.timer !== undefined) state.timers.cancel(this.timer);
    this.timer = undefined;
    this.open = undefined;
    this.will = undefined;
    state.connections.delete(this);
    state.counters.connectionsNow = state.connections.size;
    if (open !== undefined) state.sessions.detach(open.session, now);
    if (reason !== 'network') this.sink.close(reason, now);
    state.log('debug', 'connection-closed', { clientId: open?.client.clientId, reason });
    if (will === undefined) return;
    state.counters.willsPublished++;
    state.publish(will, now);
  }
}

/** The rule that a CONNECT breaks. One of another level is only refused: it may have other rules. */
function clauseOf(packet: ConnectPacket): Clause | undefined {
  const protocol = protocolOf(packet);
  if (protocol === 'other-protocol') return 'MQTT-3.1.2-1';
  return protocol === 'supported' ? violationOf(packet) : undefined;
}
