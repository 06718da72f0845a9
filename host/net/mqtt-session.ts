// One client's session with a broker, from the first attempt to reach a node until its end. Identifiers of PUBLISH are the
// owner's; SUBSCRIBE and UNSUBSCRIBE take others.
import type { IConnackPacket, IDisconnectPacket, Packet } from 'mqtt-packet';
import type {
  Log,
  Message,
  Millis,
  PacketId,
  PublishOutcome,
  Qos,
  UpstreamEvents,
  UpstreamOptions,
  UpstreamSession,
} from '../ports.js';
import { type ConnectionOptions, MqttConnection } from './mqtt-connection.js';
import { MqttExchange } from './mqtt-exchange.js';
import type { MqttNode, MqttNodes } from './mqtt-nodes.js';
import { type Candidate, PROBE_FILTER, type QosKnowledge } from './mqtt-qos.js';

export interface SessionContext {
  readonly connection: ConnectionOptions;
  readonly nodes: MqttNodes;
  readonly qos: QosKnowledge;
  readonly clock: () => Millis;
  readonly log: Log;
  /** Every connection from its beginning to its end, so that the upstream's own end can wait for it. */
  opened(connection: MqttConnection): void;
  gone(connection: MqttConnection, clientId: string): void;
  /**
   * Calls back when no connection that was left under this client id is still on its way out: a CONNECT that overtakes a
   * DISCONNECT would make the broker publish the will of who said goodbye [MQTT-3.1.4-2].
   */
  whenFree(clientId: string, dial: () => void): void;
  /** A connection is being left. */
  leaving(clientId: string, connection: MqttConnection): void;
  /** The session is over. */
  ended(session: MqttSession): void;
}

type Done = (now: Millis) => void;

/** Reason codes from here on are failures (MQTT 5, 2.4). */
const FAILURE_MIN = 0x80;
/** MQTT 5: the will asks for more than the broker's maximum QoS. */
const QOS_NOT_SUPPORTED = 0x9b;
/** CONNACKs that another node might not give: 3.1.1 server unavailable; unavailable, busy, shutting down, use another, moved, too fast. */
const ASK_ANOTHER: readonly number[] = [0x03, 0x88, 0x89, 0x8b, 0x9c, 0x9d, 0x9f];

export class MqttSession implements UpstreamSession, Candidate {
  private connection: MqttConnection | undefined;
  private exchange: MqttExchange | undefined;
  /** Nodes that are still to be tried. */
  private readonly nodes: MqttNode[];
  private node!: MqttNode;
  private connack: IConnackPacket | undefined;
  private isConnected = false;
  private isOver = false;
  /** The owner has ended it, and hears nothing more. */
  private isLeft = false;
  /** The will's QoS in the last CONNECT. */
  private willQos: Qos = 0;
  /** What the broker said while the owner had not been told of the connection. */
  private early: Packet[] = [];

  constructor(
    private readonly context: SessionContext,
    private readonly options: UpstreamOptions,
    private readonly owner: UpstreamEvents,
    now: Millis,
  ) {
    this.nodes = context.nodes.orderFor(options.clientId, now);
  }

  start(): void {
    this.tryNext();
  }

  publish(
    message: Message,
    id: PacketId,
    dup: boolean,
    now: Millis,
    done: (outcome: PublishOutcome, now: Millis) => void,
  ): void {
    const told = (outcome: PublishOutcome, at: Millis): void => this.tell(() => done(outcome, at));
    if (this.isOpen) this.exchange!.publish(message, id, dup, now, told);
    else told('lost', now);
  }

  release(id: PacketId, _now: Millis, done: Done): void {
    if (this.isOpen) this.exchange!.release(id, (at) => this.tell(() => done(at)));
  }

  acknowledge(id: PacketId, _now: Millis): void {
    if (this.isOpen) this.exchange!.acknowledge(id);
  }

  complete(id: PacketId, _now: Millis): void {
    if (this.isOpen) this.exchange!.complete(id);
  }

  subscribe(filter: string, qos: Qos, _now: Millis, done: (granted: Qos | undefined, now: Millis) => void): void {
    const qosMax = Math.min(qos, this.context.qos.max) as Qos;
    if (this.isOpen) this.exchange!.subscribe(filter, qosMax, (granted, at) => this.tell(() => done(granted, at)));
  }

  unsubscribe(filter: string, _now: Millis, done: Done): void {
    if (this.isOpen) this.exchange!.unsubscribe(filter, (at) => this.tell(() => done(at)));
  }

  close(_now: Millis): void {
    this.leave((connection) => connection.end());
  }

  abort(_now: Millis): void {
    this.leave((connection) => connection.destroy());
  }

  /** The upstream ends: goodbye to the broker, and word to the owner. */
  stop(): void {
    this.leave((connection) => connection.end());
    this.owner.closed('stopped', this.context.clock());
  }

  probe(): void {
    const { qos } = this.context;
    this.exchange!.subscribe(PROBE_FILTER, 2, (granted) => {
      if (this.isOver) return;
      this.exchange!.unsubscribe(PROBE_FILTER, () => {});
      qos.granted(granted);
    });
  }

  proceed(): void {
    const { connection, qos } = this.context;
    const willQos = Math.min(this.options.will?.qos ?? 0, qos.max);
    // With MQTT 5 the will was lowered because the broker refused it.
    if (connection.protocolVersion === 4 && this.willQos < willQos) this.connectAgain();
    else this.tellConnected();
  }

  private get isOpen(): boolean {
    return this.isConnected && !this.isOver;
  }

  private tryNext(): void {
    this.node = this.nodes.shift()!;
    this.connect();
  }

  private connect(): void {
    this.context.whenFree(this.options.clientId, () => {
      if (!this.isOver) this.dial();
    });
  }

  private dial(): void {
    const { context, options } = this;
    this.connack = undefined;
    this.willQos = this.willQosNow();
    const will = options.will && { ...options.will, qos: this.willQos };
    const connection = new MqttConnection(this.node, { ...options, will }, context.connection, {
      packet: (packet) => {
        if (connection === this.connection) this.receive(packet);
      },
      gone: (reason) => {
        context.gone(connection, options.clientId);
        if (connection === this.connection) this.gone(reason);
      },
    });
    this.connection = connection;
    context.opened(connection);
  }

  /**
   * A will above what the broker can do would cost the connection. While a 3.1.1 broker has not been asked, QoS 1 is safe; where
   * the answer is 2, one more CONNECT puts it right.
   */
  private willQosNow(): Qos {
    const { qos, connection } = this.context;
    const max = connection.protocolVersion === 4 && !qos.isKnown ? 1 : qos.max;
    return Math.min(this.options.will?.qos ?? 0, max) as Qos;
  }

  private connectAgain(): void {
    const before = this.connection!;
    // Of QoS 1 and 2 the broker keeps what is not acknowledged, and sends it again.
    this.early = this.early.filter((packet) => packet.cmd === 'publish' && packet.qos === 0);
    this.connection = undefined;
    this.context.leaving(this.options.clientId, before);
    before.end();
    this.connect();
  }

  private receive(packet: Packet): void {
    if (packet.cmd === 'connack') this.takeConnack(packet);
    else if (packet.cmd === 'disconnect') this.logDisconnect(packet);
    else if (packet.cmd === 'suback' || packet.cmd === 'unsuback' || this.isConnected) this.pass(packet);
    else if (this.connack !== undefined) this.early.push(packet);
  }

  private pass(packet: Packet): void {
    const now = this.context.clock();
    if (packet.cmd === 'publish') this.takePublish(packet, now);
    else if (packet.cmd === 'pubrel') this.owner.released(packet.messageId ?? 0, now);
    else this.exchange?.answered(packet, now);
  }

  private takePublish(packet: Packet & { cmd: 'publish' }, now: Millis): void {
    const { topic, qos, retain, dup, messageId = 0 } = packet;
    if (topic === '') return; // an alias that we never allowed; MQTT.js ends the connection
    if (qos > 0) this.exchange!.owe(messageId, qos);
    // A copy: the parser's octets are a window on all that came with them, and the owner may keep a message for long.
    const payload = new Uint8Array(packet.payload as Buffer);
    this.owner.message({ topic, payload, qos, retain }, qos > 0 ? messageId : 0, dup, now);
  }

  private takeConnack(connack: IConnackPacket): void {
    const { context, connection } = this;
    const code = connack.returnCode ?? connack.reasonCode ?? 0;
    if (this.connack !== undefined) return; // a second one: MQTT.js ends the connection
    if (code === 0) {
      context.nodes.answered(this.node);
      this.connack = connack;
      this.exchange = new MqttExchange(connection!, connack, context);
      if (context.connection.protocolVersion === 5) context.qos.learn((connack.properties?.maximumQoS ?? 2) as Qos);
      context.qos.enter(this);
      return;
    }
    if (code === QOS_NOT_SUPPORTED && this.willQos > 0) {
      context.qos.learn((this.willQos - 1) as Qos);
      this.nodes.unshift(this.node);
    } else if (ASK_ANOTHER.includes(code)) {
      context.nodes.failed(this.node, context.clock());
    } else {
      this.nodes.length = 0;
    }
    connection!.destroy(`refused-${code}`);
  }

  private tellConnected(): void {
    const { context, connack } = this;
    this.isConnected = true;
    context.qos.connected();
    this.owner.connected(connack!.sessionPresent, context.clock());
    const early = this.early;
    this.early = [];
    for (const packet of early) if (!this.isOver) this.pass(packet);
  }

  private gone(reason: string): void {
    const { context, node } = this;
    const { clientId } = this.options;
    const now = context.clock();
    if (this.isConnected) {
      this.end(true);
      this.exchange!.lost(now);
      this.tell(() => this.owner.closed(reason, now));
      return;
    }
    context.log('warn', 'upstream-attempt-failed', { clientId, node: node.label, reason });
    if (!reason.startsWith('refused-')) context.nodes.failed(node, now);
    context.qos.leave(this, this.connack !== undefined);
    this.early = [];
    if (this.nodes.length > 0) {
      this.tryNext();
      return;
    }
    this.end(true);
    this.owner.closed(reason, now);
  }

  private leave(part: (connection: MqttConnection) => void): void {
    this.isLeft = true;
    if (this.isOver) return;
    const { connection } = this;
    this.context.qos.leave(this, false);
    this.end(false);
    if (connection === undefined) return;
    this.context.leaving(this.options.clientId, connection);
    part(connection);
  }

  private tell(event: () => void): void {
    if (!this.isLeft) event();
  }

  private end(isLoss: boolean): void {
    this.isOver = true;
    this.connection = undefined;
    if (this.isConnected) this.context.qos.disconnected(isLoss);
    this.context.ended(this);
  }

  private logDisconnect({ reasonCode = 0 }: IDisconnectPacket): void {
    const level = reasonCode < FAILURE_MIN ? 'debug' : 'warn';
    this.context.log(level, 'upstream-disconnect', { clientId: this.options.clientId, reasonCode });
  }
}
