// Plays a list of steps to a gateway in virtual time, shows every event to the checkers, and keeps the transcript.
import { PacketType, PROTOCOL_ID, ReturnCode, TopicType } from '../../../assembly/protocol/index.js';
import { Broker } from '../../../host/broker/broker.js';
import { BrokerUpstream } from '../../../host/broker/upstream.js';
import { MemoryStore } from '../../../host/core/memory-store.js';
import { Xoshiro128 } from '../../../host/core/random.js';
import type { GatewayConfig } from '../../../host/gateway/index.js';
import { Gateway } from '../../../host/gateway/index.js';
import type { Message, Millis, Qos } from '../../../host/ports.js';
import type { Packet } from '../../../host/wire/index.js';
import { encode } from '../../../host/wire/index.js';
import { RecordedUpstream, ScriptedBroker } from './arbitrary-broker.js';
import { AnswersChecker } from './arbitrary-check-answers.js';
import { BoundsChecker } from './arbitrary-check-bounds.js';
import { LegalChecker } from './arbitrary-check-legal.js';
import { ONCE, OutstandingChecker } from './arbitrary-check-outstanding.js';
import { UpstreamChecker } from './arbitrary-check-upstream.js';
import { Clients } from './arbitrary-clients.js';
import type { Checker, Event, Place } from './arbitrary-events.js';
import { line, show, Violation } from './arbitrary-events.js';
import type { BrokerStep, Step } from './arbitrary-steps.js';
import { unwrap, wrap } from './arbitrary-steps.js';
import { bytes, puback, regack } from './world.js';

const LINES_SHOWN = 120;
const ANSWERS_MAX = 200;
const FLOOD = 8;

/** Where the tags of messages begin that may come more than once: from clients, or retained. */
const OFTEN = 'u';

export class Play {
  now: Millis = 1_000;
  gateway: Gateway;
  readonly scripted: ScriptedBroker | undefined;
  readonly clients = new Clients();
  private readonly broker: Broker | undefined;
  private readonly upstream: RecordedUpstream;
  private readonly checkers: readonly Checker[];
  private readonly events: Event[] = [];
  private store = new MemoryStore();
  private readonly heard = new Map<Place, Packet[]>();
  private readonly said = new Map<Place, Uint8Array>();
  private tags = 0;
  private boots = 0;
  /** What the checkers found inside of the gateway, where it might be swallowed. */
  private found: unknown;

  constructor(
    readonly config: Partial<GatewayConfig>,
    isScripted: boolean,
  ) {
    this.scripted = isScripted ? new ScriptedBroker() : undefined;
    this.broker = isScripted ? undefined : new Broker({}, { random: new Xoshiro128(1) });
    const upstream = this.scripted ?? new BrokerUpstream(this.broker!);
    this.upstream = new RecordedUpstream(upstream, (event) => this.tell(event));
    this.gateway = this.boot();
    const limits = this.gateway.config;
    this.checkers = [
      new LegalChecker(this.clients, limits),
      new BoundsChecker(limits),
      new OutstandingChecker(this.clients, limits),
      new AnswersChecker(this.clients),
      new UpstreamChecker(this.clients, limits),
    ];
    this.gateway.start(this.now);
  }

  /** Throws with the transcript when an invariant is broken, or the gateway throws. */
  run(steps: readonly Step[]): void {
    for (const step of steps) this.step(show(step), () => this.perform(step));
  }

  step(text: string, act: () => void): void {
    this.tell({ what: 'step', text, now: this.now });
    try {
      act();
      if (this.found !== undefined) throw this.found;
      const records = [...this.store.entries()].length;
      this.tell({ what: 'state', gauges: this.gateway.gauges(), sessions: this.gateway.sessionCount, records });
    } catch (error) {
      throw this.withTranscript(error);
    }
  }

  fail(rule: string): never {
    throw this.withTranscript(new Violation(rule));
  }

  /** Everything since the last call. */
  hear(place: Place): readonly Packet[] {
    const heard = this.heard.get(place) ?? [];
    this.heard.delete(place);
    return heard;
  }

  say(place: Place, packet: Packet): void {
    this.sayOctets(place, encode(packet));
  }

  connect(place: Place, clientId: string, cleanSession: boolean): void {
    const duration = 0;
    this.say(place, {
      type: PacketType.Connect,
      will: false,
      cleanSession,
      protocolId: PROTOCOL_ID,
      duration,
      clientId,
    });
  }

  /** Does all that is asked at a place. Returns what was heard there. */
  answerAll(place: Place): Packet[] {
    const all: Packet[] = [];
    for (let i = 0; i < ANSWERS_MAX; i++) {
      const heard = this.hear(place);
      if (heard.length === 0) return all;
      all.push(...heard);
      for (const packet of heard) this.answer(place, packet, ReturnCode.Accepted);
    }
    return this.fail(`there is no silence at ${place}`);
  }

  pass(ms: Millis): void {
    const end = this.now + ms;
    const due = () => Math.min(this.gateway.nextDue(), this.broker?.nextDue() ?? Number.POSITIVE_INFINITY);
    while (due() <= end) {
      this.now = Math.max(this.now, due());
      this.broker?.poll(this.now);
      this.gateway.poll(this.now);
    }
    this.now = end;
  }

  deliver(clientId: string, topic: string, qos: Qos, octets: number): void {
    const retain = this.broker !== undefined && octets === 0;
    const message: Message = { topic, qos, retain, payload: this.payload(retain ? OFTEN : ONCE, octets) };
    this.scripted?.deliver(clientId, message, this.now);
    this.broker?.publish(message, this.now);
  }

  private boot(): Gateway {
    return new Gateway(this.config, {
      link: {
        send: (to, datagram) => {
          const { place, packet } = unwrap(to, datagram);
          this.tell({ what: 'out', place, packet, octets: datagram.length });
          if (packet === undefined) return;
          const heard = this.heard.get(place) ?? [];
          this.heard.set(place, heard);
          heard.push(packet);
        },
        broadcast: (datagram) => this.tell({ what: 'broadcast', packet: unwrap('', datagram).packet }),
      },
      upstream: this.upstream,
      random: new Xoshiro128(++this.boots),
      store: this.store,
      log: (_level, event, fields) => {
        if (event !== 'message-dropped') return;
        const { clientId, topic, qos } = fields as { clientId: string; topic: string; qos: Qos };
        this.tell({ what: 'dropped', clientId, topic, qos });
      },
    });
  }

  /** What leaves the gateway is judged by how things stood before. */
  private tell(event: Event): void {
    this.events.push(event);
    if (this.checkers === undefined || this.found !== undefined) return;
    try {
      if (event.what !== 'out') this.clients.see(event);
      for (const checker of this.checkers) checker.see(event);
      if (event.what === 'out') this.clients.see(event);
    } catch (error) {
      this.found = error;
      throw error;
    }
  }

  private perform(step: Step): void {
    switch (step.do) {
      case 'say':
        this.say(step.place, this.meant(step.place, step.packet));
        break;
      case 'copy':
      case 'resend':
        this.again(step.place, step.do === 'resend');
        break;
      case 'flood':
        this.flood(step);
        break;
      case 'octets':
        this.sayOctets(step.place, step.octets);
        break;
      case 'answer':
        this.answerAs(step.place, step.how);
        break;
      case 'deliver':
        this.deliver(step.client, step.topic, step.qos, step.octets);
        break;
      case 'restart':
        this.restart(step.remembers);
        break;
      case 'pass':
        this.pass(step.ms);
        break;
      default:
        if (this.scripted !== undefined) this.script(this.scripted, step);
    }
  }

  private sayOctets(from: Place, octets: Uint8Array): void {
    this.said.set(from, octets);
    const datagram = wrap(from, octets);
    const [address] = from.split('/');
    const { place, packet } = unwrap(address!, datagram);
    this.tell({ what: 'in', place, packet });
    this.gateway.receive(address!, datagram, this.now);
  }

  private again(place: Place, isRetransmission: boolean): void {
    const octets = this.said.get(place);
    if (octets === undefined) return;
    const { packet } = unwrap('', octets);
    if (isRetransmission && packet !== undefined && 'dup' in packet && packet.dup === false) {
      if (packet.type === PacketType.Publish && packet.qos < 1) return;
      this.say(place, { ...packet, dup: true });
    } else this.sayOctets(place, octets);
  }

  private flood({ place, packet, msgIds, mixed, slow }: Extract<Step, { do: 'flood' }>): void {
    if (slow && this.scripted !== undefined) this.scripted.holds = true;
    for (let i = 0; i < FLOOD; i++) {
      const isPublish = packet.type === PacketType.Publish;
      const qos = isPublish && mixed ? { qos: 1 + (i % 2) } : {};
      const msgId = isPublish && packet.qos === 0 && !mixed ? 0 : 1 + (i % msgIds);
      this.say(place, this.meant(place, { ...packet, ...qos, msgId } as Packet));
    }
  }

  private answerAs(place: Place, how: Extract<Step, { do: 'answer' }>['how']): void {
    if (how === 'all') this.answerAll(place);
    else if (how === 'lose') this.hear(place);
    else {
      const [first, ...rest] = this.hear(place);
      this.heard.set(place, rest);
      if (first !== undefined) this.answer(place, first, how === 'one' ? ReturnCode.Accepted : how);
    }
  }

  private answer(place: Place, packet: Packet, code: ReturnCode): void {
    switch (packet.type) {
      case PacketType.Register:
        this.say(place, regack(packet, code));
        break;
      case PacketType.Publish:
        if (packet.qos === 1 || (code !== ReturnCode.Accepted && packet.qos >= 0))
          this.say(place, puback(packet, code));
        else if (packet.qos === 2) this.say(place, { type: PacketType.PubRec, msgId: packet.msgId });
        break;
      case PacketType.PubRec:
        this.say(place, { type: PacketType.PubRel, msgId: packet.msgId });
        break;
      case PacketType.PubRel:
        this.say(place, { type: PacketType.PubComp, msgId: packet.msgId });
        break;
      case PacketType.WillTopicReq:
        this.say(place, { type: PacketType.WillTopic, will: { qos: 1, retain: false, topic: 'will' } });
        break;
      case PacketType.WillMsgReq:
        this.say(place, { type: PacketType.WillMsg, message: bytes('w') });
        break;
    }
  }

  private restart(remembers: boolean): void {
    this.upstream.cut(this.now);
    if (!remembers) this.store = new MemoryStore();
    this.tell({ what: 'restart', remembers });
    this.gateway = this.boot();
    this.gateway.start(this.now);
  }

  private script(broker: ScriptedBroker, step: BrokerStep): void {
    switch (step.do) {
      case 'hold':
        broker.holds = step.on;
        break;
      case 'hold-connect':
        broker.holdsConnect = step.on;
        break;
      case 'refuse':
        broker.refuses = step.on;
        break;
      case 'refuse-connect':
        broker.refusesConnect = step.on;
        break;
      case 'let-go':
        broker.letGo(this.now, step.count);
        break;
      case 'lose':
        broker.lose(step.client, this.now);
        break;
      case 'down':
        broker.goDown(this.now);
        break;
      case 'up':
        broker.isDown = false;
        break;
      case 'qos-max':
        broker.qosMax = step.qos;
    }
  }

  /** A PUBLISH gets its tag; its topic id, counted from 1, stands for those that the client knows. */
  private meant(place: Place, packet: Packet): Packet {
    if (packet.type !== PacketType.Publish) return packet;
    const data = this.payload(OFTEN, packet.data.length);
    if (packet.topic.kind !== TopicType.Normal) return { ...packet, data };
    const known = [...(this.clients.at(place)?.topics.keys() ?? [])];
    const { id } = packet.topic;
    return { ...packet, data, topic: { kind: TopicType.Normal, id: known[id - 1] ?? id } };
  }

  private payload(kind: string, octets: number): Uint8Array {
    return bytes(`${kind}${++this.tags}`.padEnd(octets));
  }

  private withTranscript(error: unknown): Error {
    const lines = this.events.map(line).filter((one) => one !== undefined);
    const left = lines.length > LINES_SHOWN ? [`(${lines.length - LINES_SHOWN} lines before)`] : [];
    const text = [...left, ...lines.slice(-LINES_SHOWN)].join('\n');
    const reason = error instanceof Violation ? error.message : ((error as Error).stack ?? String(error));
    return new Violation(`${reason}\n${text}`);
  }
}
