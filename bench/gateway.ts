// Datagrams per second through the gateway and the broker behind it, in virtual time: no socket, no waiting.
import { PacketType, PROTOCOL_ID, ReturnCode, TopicType } from '../assembly/protocol/index.js';
import { Broker } from '../host/broker/broker.js';
import { BrokerUpstream } from '../host/broker/upstream.js';
import { Xoshiro128 } from '../host/core/random.js';
import { Gateway } from '../host/gateway/index.js';
import type { Qos, UpstreamSession } from '../host/ports.js';
import { decode, encode, isFault, type Packet } from '../host/wire/index.js';
import { type Effort, measure, type Row, type Task } from './measure.js';

const BATCH = 1_000;
const DEVICES = 100;
const PAYLOAD = new Uint8Array(32).fill(0x2a);
const MSG_ID_MAX = 65_535;

/** Gateway and broker with devices that are connected, know a topic, and subscribe to another. */
class World {
  readonly gateway: Gateway;
  readonly application: UpstreamSession;
  /** Datagrams in both directions. */
  datagrams = 0;
  private now = 0;
  private msgId = 0;
  private readonly topicIds: number[] = [];
  private answer: Packet | undefined;
  /** Datagrams that devices owe to the gateway. */
  private owed: [device: number, packet: Packet][] = [];

  constructor(qos: Qos) {
    const broker = new Broker({}, { random: new Xoshiro128(1) });
    const upstream = new BrokerUpstream(broker);
    this.gateway = new Gateway(
      {},
      {
        link: { send: (to, datagram) => this.arrives(Number(to), datagram), broadcast: () => {} },
        upstream,
        random: new Xoshiro128(2),
      },
    );
    this.gateway.start(this.now);
    for (let device = 0; device < DEVICES; device++) this.introduce(device, qos);
    const hears = { connected: () => {}, message: () => {}, released: () => {}, closed: () => {} };
    this.application = upstream.open({ clientId: 'application', clean: true }, hears, this.now);
  }

  /** A device publishes, and is answered where its QoS says so. */
  publishUp(i: number, qos: Qos): void {
    const device = i % DEVICES;
    this.send(device, {
      type: PacketType.Publish,
      dup: false,
      qos,
      retain: false,
      topic: { kind: TopicType.Normal, id: this.topicIds[device]! },
      msgId: qos === 0 ? 0 : this.nextMsgId(),
      data: PAYLOAD,
    });
  }

  /** The application publishes to a device, which answers where its QoS says so. */
  publishDown(i: number, qos: Qos): void {
    const message = { topic: `to/${i % DEVICES}`, payload: PAYLOAD, qos, retain: false };
    this.application.publish(message, qos === 0 ? 0 : this.nextMsgId(), false, ++this.now, () => {});
    for (const [device, packet] of this.owed.splice(0)) this.send(device, packet);
  }

  private introduce(device: number, qos: Qos): void {
    const clientId = `device-${device}`;
    this.send(device, {
      type: PacketType.Connect,
      will: false,
      cleanSession: true,
      protocolId: PROTOCOL_ID,
      duration: 0,
      clientId,
    });
    this.send(device, { type: PacketType.Register, topicId: 0, msgId: this.nextMsgId(), topicName: `from/${device}` });
    if (this.answer?.type !== PacketType.RegAck) throw new Error('the gateway did not answer REGISTER');
    this.topicIds.push(this.answer.topicId);
    this.send(device, {
      type: PacketType.Subscribe,
      dup: false,
      qos,
      msgId: this.nextMsgId(),
      topic: { kind: TopicType.Normal, name: `to/${device}` },
    });
  }

  private send(device: number, packet: Packet): void {
    this.datagrams++;
    this.gateway.receive(String(device), encode(packet), ++this.now);
  }

  private arrives(device: number, datagram: Uint8Array): void {
    this.datagrams++;
    const packet = decode(datagram);
    if (isFault(packet)) throw new Error(`the gateway sent what is no packet: ${packet.code}`);
    this.answer = packet;
    if (packet.type !== PacketType.Publish || packet.qos < 1 || packet.topic.kind === TopicType.Short) return;
    const { msgId, topic } = packet;
    this.owed.push([device, { type: PacketType.PubAck, topicId: topic.id, msgId, returnCode: ReturnCode.Accepted }]);
  }

  private nextMsgId(): number {
    this.msgId = (this.msgId % MSG_ID_MAX) + 1;
    return this.msgId;
  }
}

/** The same number of messages each time; what is counted is datagrams, found out by doing it once. */
function taskOf(task: string, qos: Qos, act: (world: World, i: number) => void): Task {
  const world = new World(qos);
  const run = (): void => {
    for (let i = 0; i < BATCH; i++) act(world, i);
  };
  const before = world.datagrams;
  run();
  const units = world.datagrams - before;
  const expected = qos === 0 ? BATCH : 2 * BATCH;
  if (units !== expected) throw new Error(`${task}: ${units} datagrams for ${BATCH} messages, not ${expected}`);
  return { task, subject: `${DEVICES} devices`, unit: 'datagrams', units, run };
}

export function benchGateway(effort: Effort): Promise<Row[]> {
  const tasks = ([0, 1] as const).flatMap((qos) => [
    taskOf(`from devices, QoS ${qos}`, qos, (world, i) => world.publishUp(i, qos)),
    taskOf(`to devices, QoS ${qos}`, qos, (world, i) => world.publishDown(i, qos)),
  ]);
  return measure('gateway', tasks, effort);
}
