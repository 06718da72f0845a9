// Invariant 4: every answer is one to a request that this client made, with its MsgId (and TopicId), and no request is
// answered more often than it was made.
import { PacketType, ReturnCode, TopicType } from '../../../assembly/protocol/index.js';
import type { Packet } from '../../../host/wire/index.js';
import { tagOf } from './arbitrary-check-outstanding.js';
import type { Clients } from './arbitrary-clients.js';
import type { Call, Checker, Event, Place } from './arbitrary-events.js';
import { violated } from './arbitrary-events.js';

/** What may answer what. A dialog about the will ends with CONNACK, too (6.2); a PUBLISH may be refused at any QoS (6.6). */
const ANSWERS: readonly (readonly [request: PacketType, ...answers: PacketType[]])[] = [
  [PacketType.Connect, PacketType.ConnAck],
  [PacketType.WillTopic, PacketType.ConnAck],
  [PacketType.WillMsg, PacketType.ConnAck],
  [PacketType.Register, PacketType.RegAck],
  [PacketType.Publish, PacketType.PubAck, PacketType.PubRec],
  [PacketType.PubRel, PacketType.PubComp],
  [PacketType.Subscribe, PacketType.SubAck],
  [PacketType.Unsubscribe, PacketType.UnsubAck],
  [PacketType.PingReq, PacketType.PingResp],
  [PacketType.WillTopicUpd, PacketType.WillTopicResp],
  [PacketType.WillMsgUpd, PacketType.WillMsgResp],
  [PacketType.SearchGw, PacketType.GwInfo],
];
const ANSWERED_BY = new Map(ANSWERS.map(([request, ...answers]) => [request, answers]));
const IS_ANSWER = new Set(ANSWERS.flatMap(([, ...answers]) => answers));

/** These are asked by the gateway, for as long as a dialog about the will goes on. */
const IS_QUESTION = new Set<PacketType>([PacketType.WillTopicReq, PacketType.WillMsgReq]);

const EVERYBODY = 'everybody';

export class AnswersChecker implements Checker {
  /** Requests without an answer, by client, or by place where there is none. */
  private readonly open = new Map<string, Packet[]>();

  /** Where a will was offered and CONNACK has not been the answer to what came then. */
  private readonly dialogs = new Set<Place>();

  /** What the broker has just answered. */
  private decided: Call | undefined;

  constructor(private readonly clients: Clients) {}

  see(event: Event): void {
    if (event.what === 'in' || event.what === 'step') this.decided = undefined;
    else if (event.what === 'news' && event.news.news === 'answer') this.decided = event.news.request;
    if (event.what === 'restart') {
      this.open.clear();
      this.dialogs.clear();
    }
    if (event.what === 'in' && event.packet !== undefined) this.ask(event.place, event.packet);
    else if (event.what === 'broadcast' && event.packet?.type === PacketType.GwInfo)
      this.answer([EVERYBODY], event.packet);
    else if (event.what === 'out' && event.packet !== undefined) this.say(event.place, event.packet);
  }

  private ask(place: Place, packet: Packet): void {
    if (packet.type === PacketType.Connect) {
      if (packet.will) this.dialogs.add(place);
      else this.dialogs.delete(place);
    }
    if (!ANSWERED_BY.has(packet.type)) return;
    let key = this.keyOf(place, packet);
    if (packet.type === PacketType.SearchGw) key = place.includes('/') ? place : EVERYBODY;
    const open = this.open.get(key) ?? [];
    this.open.set(key, open);
    open.push(packet);
  }

  /** CONNECT and what follows it are not yet a client's. A PINGREQ is whose it says. */
  private keyOf(place: Place, packet: Packet): string {
    if (ANSWERED_BY.get(packet.type)?.includes(PacketType.ConnAck)) return place;
    if (packet.type === PacketType.PingReq && packet.clientId !== '') return packet.clientId;
    return this.clients.at(place)?.id ?? place;
  }

  private say(place: Place, packet: Packet): void {
    const client = this.clients.at(place);
    if (IS_QUESTION.has(packet.type)) {
      if (!this.dialogs.has(place)) violated(`${place} offered no will:`, packet);
    } else if (packet.type === PacketType.Disconnect) {
      // To whom is there, or in answer to what came from a place where nobody is (5.4.21).
      if (client === undefined && !this.clients.isAnswering(place)) violated(`nobody is at ${place}:`, packet);
    } else if (IS_ANSWER.has(packet.type)) this.answer([client?.id, place], packet);
    if (packet.type === PacketType.ConnAck && this.clients.isAnswering(place)) this.dialogs.delete(place);
  }

  private answer(keys: readonly (string | undefined)[], packet: Packet): void {
    for (const key of keys) {
      const open = key === undefined ? [] : (this.open.get(key) ?? []);
      // Refusals are said at once; other answers come in the order of the requests.
      const isRefusal = 'returnCode' in packet && packet.returnCode !== ReturnCode.Accepted;
      const fitting = (request: Packet): boolean => fits(request, packet);
      // One MsgId may be that of different requests.
      let index = open.findIndex((request) => fitting(request) && isAskedBy(this.decided, request));
      if (index < 0) index = isRefusal ? open.findLastIndex(fitting) : open.findIndex(fitting);
      if (index < 0) continue;
      open.splice(index, 1);
      return;
    }
    violated('answers nothing that was asked:', packet);
  }
}

function fits(request: Packet, answer: Packet): boolean {
  if (!ANSWERED_BY.get(request.type)?.includes(answer.type)) return false;
  if ('msgId' in answer && 'msgId' in request && answer.msgId !== request.msgId) return false;
  if (answer.type === PacketType.PubAck && request.type === PacketType.Publish)
    return answer.topicId === topicField(request);
  if (answer.type === PacketType.PubRec && request.type === PacketType.Publish) return request.qos === 2;
  if (answer.type === PacketType.SubAck && request.type === PacketType.Subscribe) return fitsSubscribe(request, answer);
  return true;
}

/** The gateway has asked the broker for what this client asked it for. A filter that was not named cannot be told apart. */
function isAskedBy(call: Call | undefined, request: Packet): boolean {
  if (call?.call === 'publish')
    return request.type === PacketType.Publish && tagOf(request.data) === tagOf(call.message.payload);
  if (call?.call !== 'subscribe' || request.type !== PacketType.Subscribe || request.qos !== call.qos) return false;
  return request.topic.kind === TopicType.Predefined || request.topic.name === call.filter;
}

function topicField({ topic }: Extract<Packet, { type: PacketType.Publish }>): number {
  if (topic.kind !== TopicType.Short) return topic.id;
  const octets = new TextEncoder().encode(topic.name);
  return (octets[0]! << 8) | octets[1]!;
}

function fitsSubscribe(
  { topic, qos }: Extract<Packet, { type: PacketType.Subscribe }>,
  answer: Extract<Packet, { type: PacketType.SubAck }>,
): boolean {
  if (answer.returnCode !== ReturnCode.Accepted) return answer.topicId === 0;
  if (answer.qos > qos) return false;
  if (topic.kind === TopicType.Predefined) return answer.topicId === topic.id;
  const hasId = topic.kind === TopicType.Normal && !/[+#]/.test(topic.name);
  return hasId === (answer.topicId !== 0); // 5.4.16
}
