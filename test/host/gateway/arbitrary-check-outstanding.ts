// Invariant 3: one unacknowledged REGISTER and one PUBLISH of QoS 1 or 2 at a time (6.5, 6.6); a client is sent no topic id
// that it was not told; messages of one QoS keep their order.
import { PacketType, ReturnCode, TopicType } from '../../../assembly/protocol/index.js';
import type { Packet } from '../../../host/wire/index.js';
import type { Client, Clients } from './arbitrary-clients.js';
import type { Checker, Event, Limits } from './arbitrary-events.js';
import { violated } from './arbitrary-events.js';

type Publish = Extract<Packet, { type: PacketType.Publish }>;

/** What the gateway owes one client, and what it has said to it. */
interface Ledger {
  life: number;
  /** MsgId of the PUBLISH or PUBREL that is not acknowledged. */
  publish: { readonly msgId: number; readonly qos: number } | undefined;
  register: { readonly msgId: number; readonly topicId: number; readonly topicName: string } | undefined;
  /** Messages as the broker handed them over: the number of each, its QoS and topic. Wills are alike, on more than one. */
  readonly messages: Map<string, { readonly order: number; readonly topics: Set<string>; readonly qos: number }>;
  /** The highest number that was sent, by QoS. */
  readonly sent: Map<number, number>;
  readonly sentOnce: Set<string>;
}

/** How the tag of a message begins that a broker sends once, but for repetitions under the same identifier. */
export const ONCE = 'm';

/** Tells messages of the test apart; padding follows. */
export const tagOf = (payload: Uint8Array): string => new TextDecoder().decode(payload).split(' ')[0]!;

export class OutstandingChecker implements Checker {
  private readonly ledgers = new Map<string, Ledger>();

  constructor(
    private readonly clients: Clients,
    private readonly limits: Limits,
  ) {}

  see(event: Event): void {
    switch (event.what) {
      case 'in':
        if (event.packet !== undefined) this.hear(this.ledgerAt(event.place), event.packet);
        break;
      case 'out': {
        const client = this.clients.at(event.place);
        if (client !== undefined && event.packet !== undefined) this.say(client, this.ledger(client), event.packet);
        break;
      }
      case 'news':
        if (event.news.news === 'message') this.take(event.on.options.clientId, event.news.message);
        break;
      case 'call':
        if (event.call.call === 'open') this.renew(this.clients.get(event.on.options.clientId));
        else if (event.call.call === 'acknowledge') this.acknowledged(event.on.options.clientId, event.call.id);
        break;
      case 'dropped':
        this.drop(this.ledger(this.clients.get(event.clientId)), event);
        break;
    }
  }

  /** A new life, a new ledger. */
  private ledger(client: Client): Ledger {
    let ledger = this.ledgers.get(client.id);
    if (ledger === undefined || ledger.life !== client.life) {
      ledger = {
        life: client.life,
        publish: undefined,
        register: undefined,
        messages: new Map(),
        sent: new Map(),
        sentOnce: new Set(),
      };
      this.ledgers.set(client.id, ledger);
    }
    return ledger;
  }

  private ledgerAt(place: string): Ledger | undefined {
    const client = this.clients.at(place);
    return client && this.ledger(client);
  }

  private take(clientId: string, { topic, qos, payload }: { topic: string; qos: number; payload: Uint8Array }): void {
    const { messages } = this.ledger(this.clients.get(clientId));
    const tag = tagOf(payload);
    const known = messages.get(tag);
    if (known === undefined) messages.set(tag, { order: messages.size, topics: new Set([topic]), qos });
    else known.topics.add(topic);
  }

  /** The broker repeats what is unacknowledged. A client that has connected anew has nothing outstanding. */
  private renew(client: Client): void {
    const ledger = this.ledger(client);
    if (client.state !== 'connecting') return;
    ledger.register = undefined;
    ledger.publish = undefined;
  }

  /** Rightly or not is for the upstream's checker: a PUBACK can come before the broker, opened for it, repeats its message. */
  private acknowledged(clientId: string, id: number): void {
    const ledger = this.ledger(this.clients.get(clientId));
    ledger.register = undefined; // the REGISTER of a message that it has after all
    if (ledger.publish?.msgId === id && ledger.publish.qos === 1) ledger.publish = undefined;
  }

  private drop(ledger: Ledger, { topic, qos }: { topic: string; qos: number }): void {
    if (ledger.register?.topicName === topic) ledger.register = undefined;
    if (ledger.publish?.qos === qos) ledger.publish = undefined;
  }

  private hear(ledger: Ledger | undefined, packet: Packet): void {
    if (ledger === undefined) return;
    const { publish, register } = ledger;
    if (packet.type === PacketType.RegAck && packet.msgId === register?.msgId) ledger.register = undefined;
    if (!('msgId' in packet) || packet.msgId !== publish?.msgId) return;
    const isTaken = packet.type === PacketType.PubAck && packet.returnCode === ReturnCode.Accepted && publish.qos === 1;
    const isRefused = packet.type === PacketType.PubAck && packet.returnCode !== ReturnCode.Accepted;
    const isOver = isTaken || isRefused || packet.type === PacketType.PubComp;
    if (isOver) ledger.publish = undefined;
  }

  private say(client: Client, ledger: Ledger, packet: Packet): void {
    if (packet.type === PacketType.Register) {
      const { register } = ledger;
      if (register !== undefined && register.msgId !== packet.msgId)
        violated('a second REGISTER is outstanding:', packet);
      ledger.register = packet;
    } else if (packet.type === PacketType.RegAck || packet.type === PacketType.SubAck) {
      // The client has asked for the id itself: nobody waits for its REGACK any more.
      if (packet.topicId === ledger.register?.topicId) ledger.register = undefined;
    } else if (packet.type === PacketType.PubRel) this.begin(ledger, packet.msgId, 2);
    else if (packet.type === PacketType.Publish) {
      if (packet.qos > 0) this.begin(ledger, packet.msgId, packet.qos);
      this.checkTopic(client, ledger, packet);
      this.checkOrder(ledger, packet);
    }
  }

  private begin(ledger: Ledger, msgId: number, qos: number): void {
    const { publish } = ledger;
    if (publish !== undefined && publish.msgId !== msgId) {
      violated(`${msgId} is sent while ${publish.msgId} is not acknowledged`);
    }
    ledger.publish = { msgId, qos };
  }

  private checkTopic(client: Client, ledger: Ledger, packet: Publish): void {
    const { topic } = packet;
    const meant = ledger.messages.get(tagOf(packet.data))?.topics;
    let named: string | undefined;
    if (topic.kind === TopicType.Short) named = topic.name;
    else if (topic.kind === TopicType.Normal) named = client.topics.get(topic.id);
    else named = this.limits.predefined[client.id]?.[topic.id] ?? this.limits.predefined['*']?.[topic.id];
    if (named === undefined) violated(`${client.id} was never told of this topic id:`, packet);
    if (meant?.has(named) === false) violated(`means ${[...meant]}, and says ${named}:`, packet);
  }

  private checkOrder(ledger: Ledger, packet: Publish): void {
    const tag = tagOf(packet.data);
    if (!tag.startsWith(ONCE)) return;
    const message = ledger.messages.get(tag);
    if (message === undefined) violated('the broker never sent this:', packet);
    if (message.qos !== packet.qos) violated(`has another QoS than ${message.qos}:`, packet);
    if (ledger.sentOnce.has(tag)) {
      if (packet.qos > 0 && !packet.dup) violated('sent again without DUP:', packet);
      return;
    }
    const last = ledger.sent.get(packet.qos) ?? -1;
    if (message.order < last) violated('overtaken by a later one:', packet);
    ledger.sent.set(packet.qos, message.order);
    ledger.sentOnce.add(tag);
  }
}
