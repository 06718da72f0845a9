// What one connection has asked the broker and what the broker has asked it. Only the packets: who is told is decided
// elsewhere. Identifiers of PUBLISH come from the owner; those of SUBSCRIBE and UNSUBSCRIBE are chosen here.
import type { IConnackPacket, Packet } from 'mqtt-packet';
import type { Log, Message, Millis, PacketId, PublishOutcome, Qos } from '../ports.js';
import type { MqttConnection } from './mqtt-connection.js';
import type { QosKnowledge } from './mqtt-qos.js';

type Done = (now: Millis) => void;
type Published = (outcome: PublishOutcome, now: Millis) => void;

/** Something that waits for an identifier, or for the broker's leave to send more. */
interface Waiting {
  readonly send: Done;
  readonly lose: Done;
}

interface Request {
  readonly answer: 'suback' | 'unsuback';
  readonly done: (code: number, now: Millis) => void;
  /** What waits for the request's identifier. */
  readonly waiting: Waiting[];
}

export interface ExchangeContext {
  readonly qos: QosKnowledge;
  readonly log: Log;
  readonly clock: () => Millis;
}

const PACKET_ID_MAX = 65_535;
/** Reason codes from here on are failures (MQTT 5, 2.4); so is 3.1.1's only failure in SUBACK. */
const FAILURE_MIN = 0x80;

export class MqttExchange {
  /** PUBLISHes without PUBACK or PUBREC. */
  private readonly publishing = new Map<PacketId, { readonly qos: Qos; readonly done: Published }>();
  /** PUBRELs without PUBCOMP. */
  private readonly releasing = new Map<PacketId, Done[]>();
  /** The owner's identifiers from PUBLISH to PUBACK or PUBCOMP: what counts against Receive Maximum (MQTT 5, 4.9). */
  private readonly inFlight = new Set<PacketId>();
  private readonly requests = new Map<PacketId, Request>();
  /** PUBLISHes beyond Receive Maximum, oldest first. */
  private readonly overQuota: Waiting[] = [];
  /** Messages from the broker that the owner has not acknowledged. */
  private readonly owed = new Map<PacketId, Qos>();
  private readonly inFlightMax: number;
  private readonly packetBytesMax: number;
  private readonly retains: boolean;

  constructor(
    private readonly connection: MqttConnection,
    { properties }: IConnackPacket,
    private readonly context: ExchangeContext,
  ) {
    this.inFlightMax = properties?.receiveMaximum ?? PACKET_ID_MAX;
    this.packetBytesMax = properties?.maximumPacketSize ?? Number.POSITIVE_INFINITY;
    this.retains = properties?.retainAvailable ?? true;
  }

  publish(message: Message, id: PacketId, dup: boolean, now: Millis, done: Published): void {
    const refusal = this.refusalOf(message);
    if (refusal !== undefined) {
      const { topic, payload } = message;
      this.context.log('info', 'upstream-cannot', { reason: refusal, topic, payloadBytes: payload.length });
      done('refused', now);
      return;
    }
    if (message.qos === 0) {
      // May be lost, and is where the alternative is a buffer without bounds.
      if (this.connection.isCongested) this.context.log('debug', 'upstream-congested', { topic: message.topic });
      else this.sendPublish(message, 0, false);
      done('taken', now);
      return;
    }
    const again = {
      send: (at: Millis) => this.publish(message, id, dup, at, done),
      lose: (at: Millis) => done('lost', at),
    };
    if (this.waitsForId(id, again)) return;
    if (this.inFlight.size >= this.inFlightMax && !this.inFlight.has(id)) {
      this.overQuota.push(again);
      return;
    }
    this.inFlight.add(id);
    this.publishing.set(id, { qos: message.qos, done });
    this.sendPublish(message, id, dup);
  }

  release(id: PacketId, done: Done): void {
    if (this.waitsForId(id, { send: () => this.release(id, done), lose: () => {} })) return;
    this.inFlight.add(id); // also where the handshake began on another connection
    const waiting = this.releasing.get(id);
    if (waiting === undefined) this.releasing.set(id, [done]);
    else waiting.push(done);
    this.connection.send({ cmd: 'pubrel', messageId: id });
  }

  /** The broker has sent a message of QoS 1 or 2. */
  owe(id: PacketId, qos: Qos): void {
    this.owed.set(id, qos);
  }

  acknowledge(id: PacketId): void {
    const qos = this.owed.get(id);
    if (qos === undefined) return;
    this.owed.delete(id);
    this.connection.send({ cmd: qos === 1 ? 'puback' : 'pubrec', messageId: id });
  }

  complete(id: PacketId): void {
    this.connection.send({ cmd: 'pubcomp', messageId: id });
  }

  subscribe(filter: string, qos: Qos, done: (granted: Qos | undefined, now: Millis) => void): void {
    const id = this.begin('suback', (code, now) => done(code < FAILURE_MIN ? (code as Qos) : undefined, now));
    if (id === undefined) done(undefined, this.context.clock());
    else this.connection.send({ cmd: 'subscribe', messageId: id, subscriptions: [{ topic: filter, qos }] });
  }

  unsubscribe(filter: string, done: Done): void {
    const id = this.begin('unsuback', (_code, now) => done(now));
    if (id === undefined) done(this.context.clock());
    else this.connection.send({ cmd: 'unsubscribe', messageId: id, unsubscriptions: [filter] });
  }

  /** An answer of the broker. What answers nothing is ignored. */
  answered(packet: Packet, now: Millis): void {
    const id = packet.messageId ?? 0;
    switch (packet.cmd) {
      case 'puback':
        this.settle(id, 1, packet.reasonCode ?? 0, now);
        break;
      case 'pubrec':
        this.settle(id, 2, packet.reasonCode ?? 0, now);
        break;
      case 'pubcomp':
        this.finish(id, now);
        break;
      case 'suback':
        this.conclude(id, 'suback', Number(packet.granted[0] ?? FAILURE_MIN), now);
        break;
      case 'unsuback':
        this.conclude(id, 'unsuback', 0, now);
        break;
      default: // PINGRESP, and what servers do not send
    }
  }

  /** The connection is over: whoever published is told so. Requests are not answered any more. */
  lost(now: Millis): void {
    for (const { done } of this.publishing.values()) done('lost', now);
    for (const { waiting } of this.requests.values()) for (const { lose } of waiting) lose(now);
    for (const { lose } of this.overQuota) lose(now);
  }

  /** Why this broker cannot be asked to take a message: it would hang up. */
  private refusalOf({ topic, payload, qos, retain }: Message): string | undefined {
    if (qos > this.context.qos.max) return 'qos';
    if (retain && !this.retains) return 'retain';
    return publishBytes(topic, payload, qos) > this.packetBytesMax ? 'size' : undefined;
  }

  private sendPublish({ topic, payload, qos, retain }: Message, messageId: PacketId, dup: boolean): void {
    const octets = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
    this.connection.send({ cmd: 'publish', topic, payload: octets, qos, retain, dup, messageId });
  }

  private settle(id: PacketId, qos: Qos, code: number, now: Millis): void {
    const publish = this.publishing.get(id);
    if (publish?.qos !== qos) return;
    this.publishing.delete(id);
    const isRefused = code >= FAILURE_MIN;
    if (qos === 1 || isRefused) this.free(id, now);
    publish.done(isRefused ? 'refused' : 'taken', now);
  }

  private finish(id: PacketId, now: Millis): void {
    const waiting = this.releasing.get(id);
    if (waiting === undefined) return;
    this.releasing.delete(id);
    this.free(id, now);
    for (const done of waiting) done(now);
  }

  private free(id: PacketId, now: Millis): void {
    this.inFlight.delete(id);
    if (this.inFlight.size < this.inFlightMax) this.overQuota.shift()?.send(now);
  }

  private conclude(id: PacketId, answer: Request['answer'], code: number, now: Millis): void {
    const request = this.requests.get(id);
    if (request?.answer !== answer) return;
    this.requests.delete(id);
    for (const { send } of request.waiting) send(now);
    request.done(code, now);
  }

  /** From the far end, where no client that counts its MsgIds from 1 is met soon. Undefined where all are in use. */
  private begin(answer: Request['answer'], done: Request['done']): PacketId | undefined {
    let id = PACKET_ID_MAX;
    while (id > 0 && (this.requests.has(id) || this.inFlight.has(id))) id--;
    if (id === 0) return undefined;
    this.requests.set(id, { answer, done, waiting: [] });
    return id;
  }

  /** One identifier, one exchange [MQTT-2.3.1-2]: whose is taken by a request of ours waits for it. */
  private waitsForId(id: PacketId, waiting: Waiting): boolean {
    const request = this.requests.get(id);
    request?.waiting.push(waiting);
    return request !== undefined;
  }
}

/** MQTT 5, 2.1.4 and 3.3: fixed header, topic, identifier, no properties, payload. */
function publishBytes(topic: string, payload: Uint8Array, qos: Qos): number {
  const body = 2 + Buffer.byteLength(topic) + (qos > 0 ? 2 : 0) + 1 + payload.length;
  let lengthBytes = 1;
  for (let rest = body; rest > 127; rest >>= 7) lengthBytes++;
  return 1 + lengthBytes + body;
}
