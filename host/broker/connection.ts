// One client's connection: from its first packet to its end. How a client comes in is in entrance.ts, what its packets mean
// once it is open in exchange.ts.
import type { Timer } from '../core/timer-queue.js';
import type { Millis } from '../ports.js';
import type { Peer } from './access.js';
import { publishBytes } from './codec.js';
import { HELD_PACKETS_MAX, type Held } from './commit-gate.js';
import type { Terms } from './connecting.js';
import { Entrance } from './entrance.js';
import { type CloseReason, disconnectCode } from './errors.js';
import { exchange, type Open } from './exchange.js';
import { type DisconnectPacket, LEVEL_MQTT_5, type Packet, type PublishPacket } from './packets.js';
import { mayPublish } from './permission.js';
import { FAILURE_MIN, type ReasonCode } from './reason-codes.js';
import type { Due, Wire } from './session.js';
import type { BrokerState } from './state.js';
import { SECOND_CONNECT, type Violation, violationOf } from './violations.js';
import type { HeldWill } from './wills.js';

const MS_PER_SECOND = 1_000;
/** [MQTT-3.1.2-22]; in 3.1.1 [MQTT-3.1.2-24]. */
const KEEP_ALIVE_GRACE = 1.5;
/** The next moment, ms. */
const PUMP_AGAIN_MS = 1;

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

export class Connection implements Wire, Due, Held {
  heldPackets = 0;
  /** QoS 1 and 2 messages from the client whose handshake is not over. */
  private receiving = 0;
  private isOver = false;
  /** Until the client is in. */
  private entrance: Entrance | undefined;
  /** From CONNECT to the end. */
  private open: Open | undefined;
  private timer: Timer<Due> | undefined;
  private pumping: Timer<Due> | undefined;
  private keepAliveMs = 0;
  private lastReceivedMs: Millis;
  /** Till then nothing more of the client is read: its silence is not its own. */
  private unreadUntilMs = Number.NEGATIVE_INFINITY;

  /** Connections are made by `Broker.accept`. */
  constructor(
    private readonly state: BrokerState,
    private readonly sink: Sink,
    readonly peer: Peer,
    now: Millis,
  ) {
    this.lastReceivedMs = now;
    this.entrance = new Entrance(state, this);
    state.counters.connections++;
    state.connections.add(this);
    state.counters.connectionsNow = state.connections.size;
    this.awaitEntry(now);
  }

  /** Who is connected, while the connection is open. */
  get client(): Open['client'] | undefined {
    return this.open?.client;
  }

  get isClosed(): boolean {
    return this.isOver;
  }

  /** More waits for the journal than should: the client is to be heard again when that has gone. */
  get isHeldUp(): boolean {
    return this.heldPackets > HELD_PACKETS_MAX;
  }

  /**
   * A packet from the client, of so many bytes on the wire, if it came by one. Its payload now belongs to the broker. Ignored
   * once the connection is closed.
   */
  receive(packet: Packet, now: Millis, bytes = 0): void {
    const { turn } = this.state;
    if (!turn.begin()) {
      turn.defer(() => this.take(packet, bytes, now));
      return;
    }
    try {
      this.take(packet, bytes, now);
    } finally {
      turn.end();
    }
  }

  /** The adapter reads nothing more of the client before `until`: the keep-alive counts from there. */
  pausedUntil(until: Millis): void {
    this.unreadUntilMs = until;
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
  abandon(reason: 'malformed' | 'slow', why: string, now: Millis, code?: ReasonCode): void {
    this.state.turn.run(() => {
      if (this.isOver) return;
      if (reason === 'malformed') this.state.counters.malformed++;
      this.state.log('info', `connection-${reason}`, { clientId: this.client?.clientId, why });
      this.end(reason, now, code);
    });
  }

  /** The host ends it, in the words of `reason`. */
  terminate(reason: CloseReason, now: Millis): void {
    this.state.turn.run(() => this.end(reason, now));
  }

  /** For the session: whether PUBLISHes must wait. */
  isCongested(): boolean {
    return this.isHeldUp || (this.sink.isCongested?.() ?? false);
  }

  /** For the session. */
  admits(packet: PublishPacket, isAgain: boolean, now: Millis): boolean {
    const { open, state } = this;
    if (packet.expiresAt <= now && !isAgain) {
      state.counters.droppedExpired++; // [MQTT-3.3.2-5]
      return false;
    }
    if (open === undefined) return true;
    if (open.permit !== undefined && !open.permit.receive(packet.topic)) {
      state.counters.droppedNotReceivable++;
      state.log('debug', 'receive-denied', { clientId: open.client.clientId, topic: packet.topic });
      return false;
    }
    const { packetBytesMax, level } = open.terms;
    if (packetBytesMax === Number.POSITIVE_INFINITY || publishBytes(packet, level) <= packetBytesMax) return true;
    state.counters.droppedTooLarge++; // [MQTT-3.1.2-25]
    return false;
  }

  mayReceive(topic: string): boolean {
    return this.open?.permit?.receive(topic) ?? true;
  }

  /** For the broker's own files: sends, once what it says is durable. */
  send(packet: Packet, now: Millis): void {
    const { gate } = this.state;
    if (gate === undefined || !gate.hold(this, packet)) this.transmit(packet, now);
  }

  /** For the session: retained messages are looked for step by step, so that others have their turn. */
  pumpLater(now: Millis): void {
    const { timers } = this.state;
    this.pumping ??= timers.set(now + PUMP_AGAIN_MS, {
      due: (at) => {
        this.pumping = undefined;
        this.open?.session.pump(at);
      },
    });
  }

  /** For the gate. */
  transmit(packet: Packet, now: Millis): void {
    if (this.isOver) return;
    if (packet.cmd === 'publish') this.countOut(packet);
    else if (packet.cmd === 'connack' && this.open !== undefined) this.open.isGreeted = true;
    else if (packet.cmd === 'puback') this.giveBackQuota();
    else if (packet.cmd === 'pubrec' && packet.reasonCode >= FAILURE_MIN) this.giveBackQuota();
    this.sink.send(packet, now);
  }

  /** For the gate: what waited has gone, or enough of it. */
  released(now: Millis): void {
    this.open?.session.pump(now);
  }

  /** For the broker's own files: takes one of the messages that the client may have under way; false: it has too many. */
  takeQuota(): boolean {
    if (this.open?.terms.level === LEVEL_MQTT_5 && this.receiving >= this.state.config.receiveMax) return false;
    this.receiving++;
    return true;
  }

  /** For the broker's own files: a message of this connection is done. */
  giveBackQuota(): void {
    this.receiving--;
  }

  /** For the broker's own files: the client broke a rule, which ends the connection [MQTT-4.13.1-1], [MQTT-4.8.0-1]. */
  violate({ clause, reason }: Violation, now: Millis): void {
    this.state.counters.violations++;
    this.state.log('info', 'connection-violation', { clientId: this.client?.clientId, clause });
    this.end('violation', now, reason);
  }

  /** For the entrance: the client is in, on these terms. */
  enter(open: Open, now: Millis): void {
    this.open = open;
    this.entrance = undefined;
    this.state.openConnections++;
    this.armKeepAlive(open.terms, now);
  }

  /** For the entrance: some time to come in. */
  awaitEntry(now: Millis): void {
    if (this.timer !== undefined) this.state.timers.cancel(this.timer);
    const { connectTimeoutMs } = this.state.config;
    if (connectTimeoutMs === Number.POSITIVE_INFINITY) this.timer = undefined;
    else this.timer = this.state.timers.set(now + connectTimeoutMs, this);
  }

  /** The timer: connect timeout or keep-alive. It is not moved at each packet; it looks back when it fires. */
  due(now: Millis): void {
    this.timer = undefined;
    if (this.open === undefined) {
      this.state.counters.connectTimeouts++;
      this.end('connect-timeout', now);
      return;
    }
    // While it is not read it cannot be heard: that is not held against it.
    const silentSince = this.isHeldUp ? now : Math.max(this.lastReceivedMs, this.unreadUntilMs);
    const deadline = silentSince + this.keepAliveMs;
    if (now < deadline) {
      this.timer = this.state.timers.set(deadline, this);
      return;
    }
    this.state.counters.keepAliveTimeouts++;
    this.end('keep-alive', now);
  }

  /** For the broker's own files: another connection comes with the same client identifier. */
  takeOver(now: Millis): void {
    this.state.counters.sessionsTakenOver++;
    this.end('taken-over', now);
  }

  /**
   * For the broker's own files: the one end of every connection. The session is let go of first: a client does not hear its
   * own will. `code` is for a client of MQTT 5.0, where `reason` says too little.
   */
  end(reason: CloseReason, now: Millis, code?: ReasonCode, properties?: DisconnectPacket['properties']): void {
    if (this.isOver) return;
    const { state, open, entrance } = this;
    const reasonCode = disconnectCode(reason, code);
    if (open?.terms.level === LEVEL_MQTT_5 && open.isGreeted && reasonCode !== undefined && reason !== 'network') {
      this.sink.send({ cmd: 'disconnect', reasonCode, ...(properties && { properties }) }, now);
    }
    this.isOver = true;
    if (this.timer !== undefined) state.timers.cancel(this.timer);
    if (this.pumping !== undefined) state.timers.cancel(this.pumping);
    this.timer = undefined;
    this.pumping = undefined;
    this.open = undefined;
    this.entrance = undefined;
    entrance?.leave();
    open?.leash?.end();
    state.connections.delete(this);
    state.counters.connectionsNow = state.connections.size;
    const stays = open !== undefined && state.sessions.detach(open.session, now);
    if (reason !== 'network') this.sink.close(reason, now);
    state.log('debug', 'connection-closed', { clientId: open?.client.clientId, reason });
    if (open === undefined) return;
    state.openConnections--;
    if (open.will !== undefined) this.leaveWill(open, open.will, stays, now);
  }

  /** The permission was asked for at CONNECT, and may have gone since. */
  private leaveWill({ state, client, permit }: Open, will: HeldWill, sessionStays: boolean, now: Millis): void {
    const { clientId } = client;
    if (mayPublish(state, client, permit, will.message)) {
      state.wills.left(clientId, will, sessionStays, now);
      return;
    }
    state.wills.takenBack(clientId);
    state.counters.droppedDenied++;
  }

  private take(packet: Packet, bytes: number, now: Millis): void {
    if (this.isOver) return;
    this.lastReceivedMs = now;
    const { open, entrance } = this;
    if (open === undefined) {
      entrance?.take(packet, bytes, now);
      return;
    }
    const violation = packet.cmd === 'connect' ? SECOND_CONNECT : violationOf(packet, open.terms.level);
    if (violation !== undefined) this.violate(violation, now);
    else exchange(open, packet, now);
  }

  private armKeepAlive({ keepAliveS }: Terms, now: Millis): void {
    if (this.timer !== undefined) this.state.timers.cancel(this.timer);
    this.keepAliveMs = keepAliveS * KEEP_ALIVE_GRACE * MS_PER_SECOND;
    this.timer = this.keepAliveMs === 0 ? undefined : this.state.timers.set(now + this.keepAliveMs, this);
  }

  private countOut(packet: PublishPacket): void {
    const { counters } = this.state;
    if (packet.qos === 0) counters.messagesOutQos0++;
    else if (packet.qos === 1) counters.messagesOutQos1++;
    else counters.messagesOutQos2++;
    if (packet.retain) counters.retainedSent++;
  }
}
