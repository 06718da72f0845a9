// Invariant 1: every datagram of the gateway is one that a gateway may send to whoever is there, in his state.
import { PacketType, TopicType } from '../../../assembly/protocol/index.js';
import type { Packet } from '../../../host/wire/index.js';
import type { Clients, State } from './arbitrary-clients.js';
import type { Checker, Event, Limits, Place } from './arbitrary-events.js';
import { violated } from './arbitrary-events.js';

/** To whom: to everybody; to any sender; or to a client in one of these states. */
type To = 'everybody' | 'anyone' | readonly State[];

const CONNECTED: To = ['active', 'asleep', 'awake'];
/** Sleepers are left alone (6.14). */
const LISTENING: To = ['active', 'awake'];

/** What is missing here no gateway sends (table 3 and 5.4). */
const ALLOWED: Partial<Record<PacketType, To>> = {
  [PacketType.Advertise]: 'everybody',
  [PacketType.GwInfo]: 'everybody',
  [PacketType.ConnAck]: 'anyone',
  [PacketType.WillTopicReq]: 'anyone',
  [PacketType.WillMsgReq]: 'anyone',
  [PacketType.Disconnect]: 'anyone',
  [PacketType.Register]: LISTENING,
  [PacketType.Publish]: LISTENING,
  [PacketType.PubRel]: LISTENING,
  [PacketType.PingResp]: LISTENING,
  // Answers. A sleeper that asks for something anyhow is answered.
  [PacketType.RegAck]: CONNECTED,
  [PacketType.PubAck]: CONNECTED,
  [PacketType.PubRec]: CONNECTED,
  [PacketType.PubComp]: CONNECTED,
  [PacketType.SubAck]: CONNECTED,
  [PacketType.UnsubAck]: CONNECTED,
  [PacketType.WillTopicResp]: CONNECTED,
  [PacketType.WillMsgResp]: CONNECTED,
};

const ID_MAX = 0xffff;
const RETURN_CODE_MAX = 3;

export class LegalChecker implements Checker {
  constructor(
    private readonly clients: Clients,
    private readonly limits: Limits,
  ) {}

  see(event: Event): void {
    if (event.what !== 'out' && event.what !== 'broadcast') return;
    const { packet } = event;
    if (packet === undefined) violated('sent octets that are no packet');
    const place = event.what === 'out' ? event.place : undefined;
    const to = ALLOWED[packet.type];
    if (to === undefined) violated('no gateway sends', packet);
    if (place === undefined || to === 'everybody') this.toEverybody(place, to, packet);
    else if (to !== 'anyone') this.toClient(place, to, packet);
    this.checkFields(packet);
    const isLimited = packet.type === PacketType.Publish || packet.type === PacketType.Register;
    if (event.what === 'out' && isLimited && event.octets > this.limits.maxPacketBytes) violated('too long:', packet);
  }

  /** Behind a forwarder GWINFO is handed to one place, which broadcasts it (5.5). */
  private toEverybody(place: Place | undefined, to: To, packet: Packet): void {
    const isForwarded = place?.includes('/') && packet.type === PacketType.GwInfo;
    if (to !== 'everybody' || (place !== undefined && !isForwarded)) violated('sent to the wrong place:', packet);
  }

  private toClient(place: Place, states: readonly State[], packet: Packet): void {
    const client = this.clients.at(place);
    // CONNACK comes first, whatever was asked before (6.2).
    if (client === undefined || !states.includes(client.state)) {
      violated(
        `sent to ${place}, where ${client === undefined ? 'nobody' : `${client.id} (${client.state})`} is:`,
        packet,
      );
    }
  }

  private checkFields(packet: Packet): void {
    const wrong = () => violated('has a field that is wrong:', packet);
    if ('returnCode' in packet && packet.returnCode > RETURN_CODE_MAX) wrong();
    if (packet.type === PacketType.Disconnect && packet.duration !== undefined) wrong(); // 6.14
    if (packet.type === PacketType.GwInfo && packet.gwAdd.length > 0) wrong(); // only clients say it (5.4.3)
    if (packet.type === PacketType.Register && (isReserved(packet.topicId) || packet.msgId === 0)) wrong();
    if (packet.type === PacketType.PubRel && packet.msgId === 0) wrong();
    if (packet.type !== PacketType.Publish) return;
    const { qos, msgId, dup, topic } = packet;
    if (qos === -1 || (qos === 0) !== (msgId === 0) || (qos === 0 && dup)) wrong(); // 5.3.4, 5.4.12
    if (topic.kind !== TopicType.Short && isReserved(topic.id)) wrong();
  }
}

const isReserved = (id: number): boolean => id === 0 || id === ID_MAX;
