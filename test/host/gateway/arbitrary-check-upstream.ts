// Invariant 5: what the gateway says to the broker it says for a client who said so, once, and on a session that is open.
import { PacketType, ReturnCode, TopicType } from '../../../assembly/protocol/index.js';
import type { Message, PacketId, Qos } from '../../../host/ports.js';
import type { Packet } from '../../../host/wire/index.js';
import { tagOf } from './arbitrary-check-outstanding.js';
import type { Clients } from './arbitrary-clients.js';
import type { Call, Checker, Event, Limits, Upper } from './arbitrary-events.js';
import { violated } from './arbitrary-events.js';

/** One session with the broker. */
interface Session {
  state: 'asked' | 'open' | 'over';
  /** PUBLISHes and PUBRELs that the broker has not answered, by what and id. */
  readonly inFlight: Set<string>;
  /** QoS 2 of the client that the broker has and the client has not released. */
  readonly unreleased: Map<PacketId, string>;
  /** From the broker, not acknowledged. */
  readonly delivered: Map<PacketId, Message>;
  /** PUBRELs of the broker without their PUBCOMP. */
  readonly released: Set<PacketId>;
}

/** One client, over all of its sessions. */
interface Record_ {
  readonly asked: Set<string>;
  /** Messages by their tag that it acknowledged, and by whose PUBLISH it knows the MsgId. */
  readonly had: Set<string>;
  readonly sentAs: Map<PacketId, string>;
  /** Drops that were counted and not told to the broker yet, by topic and QoS. */
  readonly dropped: string[];
  readonly droppedTags: Set<string>;
}

export class UpstreamChecker implements Checker {
  private readonly sessions = new Map<Upper, Session>();
  private readonly records = new Map<string, Record_>();

  constructor(
    private readonly clients: Clients,
    private readonly limits: Limits,
  ) {}

  see(event: Event): void {
    switch (event.what) {
      case 'in':
        if (event.packet !== undefined) this.hear(event.place, event.packet);
        break;
      case 'out':
        this.say(event.place, event.packet);
        break;
      case 'call':
        this.call(event.on, event.call);
        break;
      case 'news':
        this.news(event);
        break;
      case 'dropped':
        this.record(event.clientId).dropped.push(`${event.topic} ${event.qos}`);
        break;
      case 'restart':
        this.sessions.clear();
        break;
    }
  }

  private record(clientId: string): Record_ {
    let record = this.records.get(clientId);
    if (record === undefined) {
      record = { asked: new Set(), had: new Set(), sentAs: new Map(), dropped: [], droppedTags: new Set() };
      this.records.set(clientId, record);
    }
    return record;
  }

  private hear(place: string, packet: Packet): void {
    if (packet.type === PacketType.Connect) {
      this.record(packet.clientId).asked.add('open');
      return;
    }
    const client = this.clients.at(place);
    if (client === undefined) return;
    const { asked, had, sentAs } = this.record(client.id);
    switch (packet.type) {
      case PacketType.Publish:
        asked.add(publishText(packet.qos === -1 ? 0 : packet.qos, packet.msgId, tagOf(packet.data)));
        asked.add(`release ${packet.msgId}`); // of an earlier one with this MsgId
        break;
      case PacketType.PubRel:
        asked.add(`release ${packet.msgId}`);
        break;
      case PacketType.Subscribe:
        asked.add(`subscribe ${this.filterOf(client.id, packet.topic)}`);
        break;
      case PacketType.Unsubscribe:
        asked.add(`unsubscribe ${this.filterOf(client.id, packet.topic)}`);
        break;
      case PacketType.PubAck:
      case PacketType.PubRec: {
        const tag = sentAs.get(packet.msgId);
        const isYes = !('returnCode' in packet) || packet.returnCode === ReturnCode.Accepted;
        if (tag !== undefined && isYes) had.add(tag);
        break;
      }
      case PacketType.PubComp:
        asked.add(`complete ${packet.msgId}`);
        break;
    }
  }

  private say(place: string, packet: Packet | undefined): void {
    const client = this.clients.at(place);
    if (client === undefined || packet?.type !== PacketType.Publish || packet.qos < 1) return;
    this.record(client.id).sentAs.set(packet.msgId, tagOf(packet.data));
  }

  private filterOf(clientId: string, topic: Extract<Packet, { type: PacketType.Subscribe }>['topic']): string {
    if (topic.kind !== TopicType.Predefined) return topic.name;
    const { predefined } = this.limits;
    return predefined[clientId]?.[topic.id] ?? predefined['*']?.[topic.id] ?? '';
  }

  private call(on: Upper, call: Call): void {
    if (call.call === 'open') {
      this.begin(on);
      return;
    }
    const session = this.sessions.get(on);
    if (session === undefined || session.state === 'over') violated('said on a session that is over:', call);
    if (call.call === 'close' || call.call === 'abort') {
      session.state = 'over';
      return;
    }
    if (session.state === 'asked') violated('said before the broker accepted the session:', call);
    if (this.isOwn(on)) return;
    const record = this.record(on.options.clientId);
    if (call.call === 'publish') this.checkPublish(session, record, call);
    else if (call.call === 'release') this.checkRelease(session, record, call.id);
    else if (call.call === 'acknowledge') this.checkAcknowledge(session, record, call.id);
    else if (call.call === 'complete') this.checkComplete(session, record, call.id);
    else if ('filter' in call && !record.asked.has(`${call.call} ${call.filter}`))
      violated('no client asked for it:', call);
  }

  private isOwn({ options }: Upper): boolean {
    return options.clientId === this.limits.connectionlessClientId;
  }

  private begin(on: Upper): void {
    const { clientId } = on.options;
    if (!this.isOwn(on) && !this.record(clientId).asked.has('open')) violated(`nobody is called ${clientId}`);
    for (const [other, { state }] of this.sessions) {
      if (state !== 'over' && other.options.clientId === clientId) violated(`two sessions of ${clientId} at a time`);
    }
    this.sessions.set(on, {
      state: 'asked',
      inFlight: new Set(),
      unreleased: new Map(),
      delivered: new Map(),
      released: new Set(),
    });
  }

  private checkPublish(session: Session, { asked }: Record_, call: Extract<Call, { call: 'publish' }>): void {
    const { id, message } = call;
    const tag = tagOf(message.payload);
    if (!asked.has(publishText(message.qos, id, tag))) violated('no client published it:', call);
    if (message.qos === 0) return;
    if (session.inFlight.has(`publish ${id}`)) violated('the MsgId is in flight:', call);
    session.inFlight.add(`publish ${id}`);
    // QoS 1 it would take for new.
    const before = message.qos === 2 ? session.unreleased.get(id) : undefined;
    if (before !== undefined && before !== tag) violated(`the broker takes it for ${before}, not released yet:`, call);
  }

  private checkRelease(session: Session, { asked }: Record_, id: PacketId): void {
    if (!asked.has(`release ${id}`)) violated(`no client released ${id}`);
    if (session.inFlight.has(`release ${id}`)) violated(`released ${id} while that is in flight`);
    session.inFlight.add(`release ${id}`);
  }

  private checkAcknowledge(session: Session, record: Record_, id: PacketId): void {
    const message = session.delivered.get(id);
    if (message === undefined) violated(`acknowledged ${id}, which was not delivered on this session`);
    session.delivered.delete(id);
    const tag = tagOf(message.payload);
    if (record.had.has(tag) || record.droppedTags.has(tag)) return;
    const drop = record.dropped.indexOf(`${message.topic} ${message.qos}`);
    if (drop < 0) violated(`acknowledged ${tag}, which the client has not, and which was not dropped`);
    record.dropped.splice(drop, 1);
    record.droppedTags.add(tag);
  }

  private checkComplete(session: Session, _record: Record_, id: PacketId): void {
    if (!session.released.delete(id)) violated(`completed ${id}, which the broker has not released`);
  }

  private news({ on, news }: Extract<Event, { what: 'news' }>): void {
    const session = this.sessions.get(on);
    if (session === undefined) return;
    if (news.news === 'connected') session.state = 'open';
    else if (news.news === 'closed') session.state = 'over';
    else if (news.news === 'released') session.released.add(news.id);
    else if (news.news === 'message' && news.id !== 0) {
      session.delivered.set(news.id, news.message);
      // The client may have had it from another gateway.
      if (news.dup) this.record(on.options.clientId).sentAs.set(news.id, tagOf(news.message.payload));
    } else if (news.news === 'answer') this.answered(session, news.request, news.outcome);
  }

  private answered(session: Session, request: Call, outcome: string | Qos): void {
    if (!('id' in request)) return;
    session.inFlight.delete(`${request.call} ${request.id}`);
    if (!('message' in request)) session.unreleased.delete(request.id);
    else if (request.message.qos === 2 && outcome === 'taken') {
      session.unreleased.set(request.id, tagOf(request.message.payload));
    }
  }
}

const publishText = (qos: number, id: number, tag: string): string => `publish ${qos} ${qos === 0 ? 0 : id} ${tag}`;
