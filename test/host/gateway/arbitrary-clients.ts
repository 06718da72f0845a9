// Who is where and in which state (figure 4 of 6.14), as far as it can be told from outside. Where that is not quite
// certain, the view is the more lenient one: a client counts as there until it is known to be gone.
import { PacketType, ReturnCode, TopicType } from '../../../assembly/protocol/index.js';
import type { Packet } from '../../../host/wire/index.js';
import type { Checker, Event, Place, Upper } from './arbitrary-events.js';

export type State = 'gone' | 'connecting' | 'active' | 'asleep' | 'awake';

export interface Client {
  readonly id: string;
  place: Place | undefined;
  state: State;
  /** CleanSession of the CONNECT that its session rests on. */
  clean: boolean;
  /** Normal topic ids that it was told or has asked for, and its session is not forgotten since. */
  readonly topics: Map<number, string>;
  /** Its open session with the broker. */
  upper: Upper | undefined;
  /** Goes up when the session is wiped. */
  life: number;
  /** While it connects: what the store says of it. */
  recorded: { readonly place: Place; readonly state: State } | undefined;
}

/** Requests that can end in a CONNACK. */
const CONNECTING = new Set<PacketType | undefined>([PacketType.Connect, PacketType.WillTopic, PacketType.WillMsg]);

export class Clients implements Checker {
  private readonly byId = new Map<string, Client>();
  /** The CONNECT of a place that has not been answered. */
  readonly connects = new Map<Place, Extract<Packet, { type: PacketType.Connect }>>();
  /** What came in last; whatever follows within the same step may be about it. */
  private last: { readonly place: Place; readonly packet: Packet | undefined } | undefined;
  /** REGISTERs of the gateway by client and MsgId: names that ids will be given to. */
  private readonly names = new Map<string, string>();
  /** The filter of the SUBSCRIBE that the broker has just answered. */
  private granted: { readonly clientId: string; readonly filter: string } | undefined;

  at(place: Place): Client | undefined {
    for (const client of this.byId.values()) if (client.place === place) return client;
    return undefined;
  }

  get(id: string): Client {
    let client = this.byId.get(id);
    if (client === undefined) {
      const topics = new Map<number, string>();
      client = {
        id,
        place: undefined,
        state: 'gone',
        clean: true,
        topics,
        upper: undefined,
        life: 0,
        recorded: undefined,
      };
      this.byId.set(id, client);
    }
    return client;
  }

  all(): Iterable<Client> {
    return this.byId.values();
  }

  /** Said in answer to the datagram that came last, from the same place. */
  isReplyTo(place: Place, type: PacketType): boolean {
    return this.last?.place === place && this.last.packet?.type === type;
  }

  /** Something came from this place, and the gateway is still busy with it. */
  isAnswering(place: Place): boolean {
    return this.last?.place === place;
  }

  get lastIn(): Packet | undefined {
    return this.last?.packet;
  }

  see(event: Event): void {
    switch (event.what) {
      case 'step':
        this.last = undefined;
        break;
      case 'in':
        this.last = event;
        this.granted = undefined;
        if (event.packet !== undefined) this.hear(event.place, event.packet);
        break;
      case 'out':
        if (event.packet !== undefined) this.say(event.place, event.packet);
        break;
      case 'call':
        if (event.call.call === 'open') this.open(event.on);
        else if (event.call.call === 'close' || event.call.call === 'abort') this.over(event.on, event.call.call);
        break;
      case 'news':
        if (event.news.news === 'closed') this.over(event.on, 'closed');
        else if (event.news.news === 'answer' && event.news.request.call === 'subscribe') {
          this.granted = { clientId: event.on.options.clientId, filter: event.news.request.filter };
        }
        break;
      case 'restart':
        this.restart(event.remembers);
        break;
    }
  }

  private hear(place: Place, packet: Packet): void {
    const here = this.at(place);
    const key = here?.id ?? place;
    switch (packet.type) {
      case PacketType.Connect:
        this.connects.set(place, packet);
        break;
      case PacketType.RegAck: {
        const name = this.names.get(`down ${key} ${packet.msgId}`);
        if (here !== undefined && name !== undefined && packet.returnCode === ReturnCode.Accepted) {
          const id = Number(this.names.get(`id ${key} ${packet.msgId}`));
          here.topics.set(id, name);
        }
        break;
      }
      case PacketType.PingReq: {
        const named = packet.clientId === '' ? here : this.byId.get(packet.clientId);
        // One that was there before a restart may be lost since: see `open`.
        if (named === undefined || named.state === 'gone' || named.state === 'connecting') break;
        if (packet.clientId !== '' && named.upper === undefined) break;
        if (packet.clientId !== '') this.move(named, place);
        if (named.state === 'asleep') named.state = 'awake';
        break;
      }
    }
  }

  private say(place: Place, packet: Packet): void {
    const here = this.at(place);
    switch (packet.type) {
      case PacketType.ConnAck: {
        const connect = this.connects.get(place);
        // To a client that is there and repeats the end of its dialog: its CONNACK was lost.
        if (here?.upper !== undefined && here.state !== 'connecting' && here.id !== connect?.clientId) break;
        this.connects.delete(place);
        if (packet.returnCode !== ReturnCode.Accepted) break;
        // A session with the broker that goes on, or has been opened for this.
        const client = connect !== undefined && here?.state !== 'connecting' ? this.get(connect.clientId) : here;
        if (client === undefined) break;
        if (connect?.clientId === client.id) client.clean = connect.cleanSession;
        this.move(client, place);
        client.state = 'active';
        break;
      }
      case PacketType.RegAck:
      case PacketType.SubAck: {
        const name = here && this.nameGiven(here, packet);
        const isGiven = packet.returnCode === ReturnCode.Accepted && packet.topicId !== 0;
        if (here !== undefined && name !== undefined && isGiven) here.topics.set(packet.topicId, name);
        break;
      }
      case PacketType.Register:
        if (here === undefined) break;
        this.names.set(`down ${here.id} ${packet.msgId}`, packet.topicName);
        this.names.set(`id ${here.id} ${packet.msgId}`, String(packet.topicId));
        break;
      case PacketType.PingResp:
        if (here?.state === 'awake') here.state = 'asleep';
        break;
      case PacketType.Disconnect:
        if (here !== undefined && here.state !== 'gone' && this.isReplyTo(place, PacketType.Disconnect)) {
          const { lastIn } = this;
          if (lastIn?.type === PacketType.Disconnect && (lastIn.duration ?? 0) > 0) here.state = 'asleep';
        }
        break;
    }
  }

  /** What an id is given to: the filter that the broker has just granted, or what was asked last, which may be a copy. */
  private nameGiven(client: Client, packet: Extract<Packet, { topicId: number }>): string | undefined {
    const { granted, lastIn } = this;
    if (packet.type === PacketType.SubAck && granted?.clientId === client.id) return granted.filter;
    if (lastIn?.type === PacketType.Register) return lastIn.topicName;
    if (lastIn?.type !== PacketType.Subscribe || lastIn.topic.kind !== TopicType.Normal) return undefined;
    return lastIn.topic.name;
  }

  private open(upper: Upper): void {
    const client = this.get(upper.options.clientId);
    client.upper = upper;
    const { last } = this;
    const { packet } = last ?? {};
    if (last !== undefined && packet?.type === PacketType.PingReq && packet.clientId === client.id) {
      this.move(client, last.place); // heard for the first time since a restart
      if (client.state === 'asleep') client.state = 'awake';
    }
    if (last === undefined || !CONNECTING.has(last.packet?.type)) return;
    const connect = this.connects.get(last.place);
    if (connect?.clientId !== client.id) return;
    if (client.state !== 'connecting') client.recorded = recordOf(client);
    // Where it is now it is recorded to be only after CONNACK.
    if (client.recorded?.place !== last.place) client.recorded = undefined;
    client.clean = connect.cleanSession;
    this.move(client, last.place);
    client.state = 'connecting';
    if (connect.cleanSession) this.wipe(client);
  }

  private over(upper: Upper, how: 'close' | 'abort' | 'closed'): void {
    const client = this.get(upper.options.clientId);
    if (client.upper !== upper) return;
    client.upper = undefined;
    // A session that is closed may be opened anew with another will, while the client stays.
    if (how === 'close' && !this.saysGoodbye(client)) return;
    client.state = 'gone';
    if (client.clean) this.wipe(client);
  }

  private saysGoodbye({ place }: Client): boolean {
    const { last } = this;
    return last?.place === place && last?.packet?.type === PacketType.Disconnect;
  }

  private move(client: Client, place: Place): void {
    const other = this.at(place);
    if (other !== undefined && other !== client) {
      other.place = undefined;
      other.state = 'gone';
    }
    client.place = place;
  }

  private wipe(client: Client): void {
    client.topics.clear();
    client.life++;
  }

  /** A kept session that was there is there again, and asleep if it was. */
  private restart(remembers: boolean): void {
    this.connects.clear();
    this.names.clear();
    this.last = undefined;
    for (const client of this.byId.values()) {
      client.upper = undefined;
      client.life++;
      if (client.state === 'awake') client.state = 'asleep';
      if (client.state === 'connecting') {
        client.place = client.recorded?.place;
        client.state = client.recorded?.state ?? 'gone';
      }
      if (remembers && !client.clean) continue;
      client.state = 'gone';
      client.place = undefined;
      client.topics.clear();
    }
  }
}

function recordOf({ place, state, clean }: Client): Client['recorded'] {
  return clean || place === undefined || state === 'gone' ? undefined : { place, state };
}
