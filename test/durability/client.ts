// A client that keeps its part of sections 4.3 and 4.4 over connections that break, and enters in the book what it says and
// hears. It does not crash itself. Bytes in, bytes out: the line is virtual or a socket.
import {
  generate,
  type IConnackPacket,
  type IPublishPacket,
  parser as newParser,
  type Packet,
  type Parser,
} from 'mqtt-packet';
import type { Entry, Ledger, Will } from './ledger.js';

export type Qos = 0 | 1 | 2;

export interface Line {
  send(bytes: Buffer): void;
  /** The client hangs up; what it said last may still arrive. */
  close(): void;
}

export interface ClientOptions {
  readonly name: string;
  readonly level: 4 | 5;
  /** How long its session outlives its connection, seconds; 0: not at all. Infinity: for ever, and the only one for level 4. */
  readonly expiryS: number;
  /** Present: it has a will, at QoS 2. */
  readonly will?: { readonly topic: string; readonly delayS: number };
  /** The last packet identifier before 1 comes again. Default: 65,535. */
  readonly idMax?: number;
  /** An identifier is used again as soon as it is free. Default: false. */
  readonly usesLowestId?: boolean;
  /** Messages that it takes at a time (level 5). */
  readonly receiveMax?: number;
}

export interface PublishOptions {
  readonly isRetained?: boolean;
  readonly isClearing?: boolean;
  /** Level 5. */
  readonly expiryS?: number;
  /** Octets of payload that say nothing. */
  readonly padding?: number;
}

interface Owed {
  readonly entry: Entry;
  readonly packet: IPublishPacket;
  isReleased: boolean;
}

type Request = { readonly kind: 'subscribe' | 'unsubscribe'; readonly filter: string };

const EXPIRY_NEVER_S = 0xffff_ffff;
const ID_MAX = 65_535;

export class LedgerClient {
  readonly name: string;
  /** PUBLISHes and PUBRELs that are not answered. */
  readonly unsettled = new Map<number, Owed>();
  isIn = false;
  private readonly received = new Set<number>();
  private requests = new Map<number, Request>();
  private line: Line | undefined;
  private parser: Parser | undefined;
  private wasClean = false;
  private hasSession = false;
  private leftAtMs = 0;
  private lastId = 0;
  private will: Will | undefined;
  /** Of an earlier connection, not decided yet. */
  private lastWill: { readonly will: Will; readonly endedAtMs: number; isDoubtful: boolean } | undefined;
  private writtenAtMs = 0;
  /** CONNECTs since the last CONNACK. */
  private attempts = 0;
  /** Over this connection: messages of QoS 1 acknowledged, and after how many of these each identifier was used. */
  private readonly acknowledged: string[] = [];
  private readonly acknowledgedBefore = new Map<number, number>();

  constructor(
    readonly options: ClientOptions,
    private readonly ledger: Ledger,
    private readonly clock: () => number,
  ) {
    this.name = options.name;
  }

  get isAway(): boolean {
    return this.line === undefined;
  }

  /** Nothing is unanswered. */
  get isSettled(): boolean {
    return this.unsettled.size === 0 && this.requests.size === 0 && (this.isAway || this.isIn);
  }

  /** SUBSCRIBE or UNSUBSCRIBE was sent over this connection, and is not answered. */
  isAskingFor(filter: string): boolean {
    return [...this.requests.values()].some((request) => request.filter === filter);
  }

  connect(line: Line, clean = false, hasWill = true): void {
    const { name, level, expiryS, receiveMax } = this.options;
    this.line = line;
    this.attempts++;
    this.acknowledged.length = 0;
    this.acknowledgedBefore.clear();
    this.parser = newParser({ protocolVersion: level });
    this.parser.on('packet', (packet) => this.take(packet));
    this.parser.on('error', (error) => this.ledger.breaks(`${name} heard no MQTT: ${error.message}`));
    // Once it has been asked for, it is asked for until it is granted.
    this.wasClean ||= clean || (level === 4 && expiryS === 0);
    if (this.wasClean) this.forget();
    if (this.hasSession && this.clock() - this.leftAtMs >= expiryS * 1_000) this.ledger.sessionDoubted(name);
    if (this.lastWill !== undefined && this.attempts > 1) this.lastWill.isDoubtful = true;
    this.will = hasWill ? this.newWill() : undefined;
    const sessionExpiryInterval = expiryS === Number.POSITIVE_INFINITY ? EXPIRY_NEVER_S : expiryS;
    const properties = { sessionExpiryInterval, ...(receiveMax && { receiveMaximum: receiveMax }) };
    this.say({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: level,
      clientId: name,
      clean: this.wasClean,
      keepalive: 0,
      ...(level === 5 && { properties }),
      ...(this.will && { will: this.willPacket(this.will) }),
    });
  }

  private newWill(): Will | undefined {
    const { name, will } = this.options;
    return will && this.ledger.will(name, will.topic, will.delayS * 1_000);
  }

  private willPacket({ entry, delayMs }: Will) {
    const properties = { willDelayInterval: delayMs / 1_000 };
    const will = { topic: entry.topic, payload: Buffer.from(entry.text), qos: entry.qos, retain: false };
    return this.options.level === 5 ? { ...will, properties } : will;
  }

  /** Octets from the broker, and when it wrote them, ms. */
  hear(bytes: Buffer, writtenAtMs: number): void {
    this.writtenAtMs = writtenAtMs;
    this.parser?.parse(bytes);
  }

  /** The connection is gone. */
  gone(): void {
    if (this.line === undefined) return;
    this.line = undefined;
    this.parser = undefined;
    this.requests.clear();
    if (this.isIn) {
      this.leftAtMs = this.clock();
      if (this.will !== undefined) this.lastWill = { will: this.will, endedAtMs: this.clock(), isDoubtful: false };
      this.will = undefined;
      if (!this.hasSession) this.ledger.sessionEnded(this.name);
    }
    this.isIn = false;
  }

  /** DISCONNECT. */
  leave(): void {
    if (!this.isIn) return;
    this.say({ cmd: 'disconnect', reasonCode: 0 });
    this.will = undefined; // published only where the broker has not heard of this
    this.line?.close();
    this.gone();
  }

  publish(topic: string, qos: Qos, options: PublishOptions = {}): void {
    if (!this.isIn) return;
    const { isRetained = false, isClearing = false, expiryS, padding = 0 } = options;
    const isExpiring = expiryS !== undefined && this.options.level === 5;
    const expiryMs = isExpiring ? expiryS * 1_000 : Number.POSITIVE_INFINITY;
    const entry = this.ledger.message(this.name, topic, qos, { isRetained, isClearing, expiryMs });
    const messageId = this.nextId();
    const payload = isClearing ? '' : `${entry.text} ${'.'.repeat(padding)}`;
    const properties = isExpiring && { properties: { messageExpiryInterval: expiryS } };
    const packet: IPublishPacket = {
      cmd: 'publish',
      topic,
      payload,
      qos,
      retain: isRetained,
      dup: false,
      messageId,
      ...properties,
    };
    this.unsettled.set(messageId, { entry, packet, isReleased: false });
    this.ledger.sent(entry);
    this.say(packet);
  }

  subscribe(filter: string, qos: Qos): void {
    if (!this.isIn) return;
    const messageId = this.nextId();
    this.requests.set(messageId, { kind: 'subscribe', filter });
    this.ledger.subscribing(this.name, filter, qos);
    this.say({ cmd: 'subscribe', messageId, subscriptions: [{ topic: filter, qos }] });
  }

  unsubscribe(filter: string): void {
    if (!this.isIn) return;
    const messageId = this.nextId();
    this.requests.set(messageId, { kind: 'unsubscribe', filter });
    this.ledger.unsubscribing(this.name, filter);
    this.say({ cmd: 'unsubscribe', messageId, unsubscriptions: [filter] });
  }

  /** It will not come back: what must have come of its last will then. */
  stayAway(): void {
    if (this.attempts === 0 && this.lastWill?.isDoubtful === false) this.lastWill.will.fate = 'once';
  }

  private take(packet: Packet): void {
    switch (packet.cmd) {
      case 'connack':
        this.takeConnack(packet);
        break;
      case 'publish':
        this.takePublish(packet);
        break;
      case 'pubrel':
        this.received.delete(packet.messageId!);
        this.say({ cmd: 'pubcomp', messageId: packet.messageId! });
        break;
      case 'puback':
      case 'pubrec':
      case 'pubcomp':
        this.takeAck(packet.cmd, packet.messageId!, packet.reasonCode ?? 0);
        break;
      case 'suback':
      case 'unsuback':
        this.takeGrant(packet.messageId!);
        break;
      case 'disconnect':
        break; // the connection's end follows
      default:
        this.ledger.breaks(`${this.name} heard ${packet.cmd}`);
    }
  }

  private takeConnack({ sessionPresent, returnCode, reasonCode }: IConnackPacket): void {
    const { ledger, name } = this;
    const { expiryS } = this.options;
    if ((reasonCode ?? returnCode) !== 0) ledger.breaks(`${name} was refused with ${reasonCode ?? returnCode}`);
    const isOwed = this.hasSession && !this.wasClean && this.clock() - this.leftAtMs < expiryS * 1_000;
    if (sessionPresent && this.wasClean) ledger.breaks(`${name} asked for a new session and got an old one`);
    if (!sessionPresent && isOwed) ledger.breaks(`${name} has lost its session`);
    const isOther = sessionPresent && !this.hasSession && this.attempts === 1;
    if (isOther) ledger.breaks(`${name} was given a session that had ended`);
    this.attempts = 0;
    this.isIn = true;
    this.decideWill();
    // With level 4 a clean session ends with its connection [MQTT-3.1.2-6].
    this.hasSession = expiryS > 0 && !(this.options.level === 4 && this.wasClean);
    this.wasClean = false;
    if (!sessionPresent) {
      ledger.sessionEnded(name);
      this.forget();
      return;
    }
    for (const { entry, packet, isReleased } of this.unsettled.values()) {
      if (isReleased) this.say({ cmd: 'pubrel', messageId: packet.messageId! });
      else {
        ledger.sent(entry);
        this.say({ ...packet, dup: true });
      }
    }
  }

  /** What must have come of the will of the connection before, now that the next is acknowledged. */
  private decideWill(): void {
    const { lastWill, options } = this;
    this.lastWill = undefined;
    if (lastWill === undefined) return;
    const { will, endedAtMs, isDoubtful } = lastWill;
    if (will.delayMs === 0 || options.expiryS === 0) will.fate = 'once';
    else if (!isDoubtful && this.wasClean) will.fate = 'once';
    else if (!this.wasClean && options.expiryS > 0 && this.clock() < endedAtMs + will.delayMs) will.fate = 'never';
  }

  private takePublish({ messageId = 0, qos, retain, dup, topic, payload }: IPublishPacket): void {
    const isRepeated = qos === 2 && this.received.has(messageId);
    if (isRepeated && !dup) this.ledger.breaks(`${this.name} heard identifier ${messageId} again without DUP`);
    const text = payload.toString().split(' ')[0]!;
    // RETAIN is for what was there before the subscription, and is judged by others.
    if (!isRepeated && !retain && qos > 0 && text !== '') {
      this.ledger.delivered(this.name, topic, text, qos, dup, this.writtenAtMs);
    }
    if (qos === 1) {
      this.say({ cmd: 'puback', messageId });
      this.acknowledged.push(text);
    }
    if (qos !== 2) return;
    this.received.add(messageId);
    this.say({ cmd: 'pubrec', messageId });
  }

  /** An answer: all that was said before the question is durable. */
  private isSure(messageId: number): void {
    const count = this.acknowledgedBefore.get(messageId) ?? 0;
    for (const text of this.acknowledged.splice(0, count)) this.ledger.settled(this.name, text);
    for (const [id, before] of this.acknowledgedBefore) this.acknowledgedBefore.set(id, Math.max(before - count, 0));
    this.acknowledgedBefore.delete(messageId);
  }

  private takeAck(cmd: 'puback' | 'pubrec' | 'pubcomp', messageId: number, reasonCode: number): void {
    const owed = this.unsettled.get(messageId);
    this.isSure(messageId);
    if (owed === undefined) {
      this.ledger.breaks(`${this.name} heard ${cmd} of ${messageId}, which it does not know`);
      return;
    }
    if (cmd !== 'pubcomp' && reasonCode >= 0x80)
      this.ledger.breaks(`${owed.entry.text} was refused with ${reasonCode}`);
    if (cmd === 'pubrec') {
      if (!owed.isReleased) this.ledger.acked(owed.entry, this.clock());
      owed.isReleased = true;
      this.say({ cmd: 'pubrel', messageId });
      return;
    }
    if (cmd === 'puback') this.ledger.acked(owed.entry, this.clock());
    this.unsettled.delete(messageId);
  }

  private takeGrant(messageId: number): void {
    const request = this.requests.get(messageId);
    this.requests.delete(messageId);
    this.isSure(messageId);
    if (request === undefined)
      this.ledger.breaks(`${this.name} heard an answer to ${messageId}, which it does not know`);
    else if (request.kind === 'subscribe') this.ledger.subscribedTo(this.name, request.filter);
    else this.ledger.unsubscribedFrom(this.name, request.filter);
  }

  /** The session is gone: what was under way stays unsaid. */
  private forget(): void {
    this.unsettled.clear();
    this.received.clear();
  }

  private say(packet: Packet): void {
    const isQuestion = packet.cmd === 'publish' || packet.cmd === 'subscribe' || packet.cmd === 'unsubscribe';
    if (isQuestion) this.acknowledgedBefore.set(packet.messageId!, this.acknowledged.length);
    this.line?.send(generate(packet, { protocolVersion: this.options.level }));
  }

  private nextId(): number {
    if (this.options.usesLowestId) this.lastId = 0;
    do this.lastId = this.lastId >= (this.options.idMax ?? ID_MAX) ? 1 : this.lastId + 1;
    while (this.unsettled.has(this.lastId) || this.requests.has(this.lastId));
    return this.lastId;
  }
}
