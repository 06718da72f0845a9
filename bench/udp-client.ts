// A client on a socket of its own that does as little as it can: its datagrams are made beforehand, and of what comes it
// looks at the octets that it needs, so that the gateway is what is measured.
import { createSocket, type Socket } from 'node:dgram';
import { PacketType, PROTOCOL_ID, ReturnCode, TopicType } from '../assembly/protocol/index.js';
import type { Qos } from '../host/ports.js';
import { decode, encode, isFault, type Packet } from '../host/wire/index.js';
import { ASK, DOWN_WINDOW, PAYLOAD_BYTES, TO } from './udp-talk.js';

/** What the clients do: messages of one QoS in one direction. */
export interface Traffic {
  readonly direction: 'up' | 'down';
  readonly qos: 0 | 1;
}

/** What a client does before it is somebody else's turn. */
export interface Turn {
  readonly messages: number;
  /** As the gateway counts them. */
  readonly datagramsIn: number;
  readonly datagramsOut: number;
  /** Datagrams on their way to the gateway at a time, at most. */
  readonly underWay: number;
}

/** QoS 0 is not acknowledged: after so many messages a client asks, with PINGREQ, whether they have come through. */
const UP_WINDOW_QOS0 = 8;

/** A client sends a message of QoS 1 when the one before is acknowledged (6.6), and so does the gateway. */
export function turnOf({ direction, qos }: Traffic): Turn {
  if (direction === 'down') {
    return { messages: DOWN_WINDOW, datagramsIn: 1 + qos * DOWN_WINDOW, datagramsOut: DOWN_WINDOW, underWay: 1 + qos };
  }
  if (qos === 1) return { messages: 1, datagramsIn: 1, datagramsOut: 1, underWay: 1 };
  const datagramsIn = UP_WINDOW_QOS0 + 1;
  return { messages: UP_WINDOW_QOS0, datagramsIn, datagramsOut: 1, underWay: datagramsIn };
}

/** Octets that stand alone in short packets (5.2), and those of the MsgId in PUBLISH (5.4.12) and PUBACK (5.4.13). */
const TYPE_AT = 1;
const PUBLISH_MSG_ID_AT = 5;
const PUBACK_MSG_ID_AT = 4;
const MSG_ID_MAX = 65_535;
const PINGREQ = Buffer.from(encode({ type: PacketType.PingReq, clientId: '' }));

export class UdpClient {
  /** Messages that the gateway has confirmed: PUBACK, PINGRESP, or their arrival here. */
  answered = 0;
  private readonly socket: Socket = createSocket('udp4');
  private publish: readonly Buffer[] = [];
  private ask: readonly Buffer[] = [];
  private puback = PINGREQ;
  private msgId = 0;
  private traffic: Traffic | undefined;
  private missing = 0;
  private turnOver: (() => void) | undefined;

  /** Connects, registers its two topics and subscribes to the third. Rejects when it is refused. */
  async open(port: number, index: number): Promise<void> {
    await new Promise<void>((resolve) => this.socket.connect(port, '127.0.0.1', resolve));
    const clientId = `client-${index}`;
    await this.request({
      type: PacketType.Connect,
      will: false,
      cleanSession: true,
      protocolId: PROTOCOL_ID,
      duration: 0,
      clientId,
    });
    const up = await this.request({ type: PacketType.Register, topicId: 0, msgId: 1, topicName: `up/${index}` });
    const ask = await this.request({ type: PacketType.Register, topicId: 0, msgId: 2, topicName: ASK + index });
    const name = TO + index;
    const to = await this.request({
      type: PacketType.Subscribe,
      dup: false,
      qos: 1,
      msgId: 3,
      topic: { kind: TopicType.Normal, name },
    });
    const data = new Uint8Array(PAYLOAD_BYTES);
    this.publish = [0, 1].map((qos) => publishOf(idIn(up), qos as Qos, data));
    this.ask = [0, 1].map((qos) => publishOf(idIn(ask), 0, Uint8Array.of(qos)));
    this.puback = Buffer.from(
      encode({ type: PacketType.PubAck, topicId: idIn(to), msgId: 0, returnCode: ReturnCode.Accepted }),
    );
    this.socket.on('message', (datagram) => this.onDatagram(datagram));
  }

  /** Begins a turn; `turnOver` is called at its end, before which no other may begin. */
  begin(traffic: Traffic, turnOver: () => void): void {
    const { direction, qos } = traffic;
    this.traffic = traffic;
    this.turnOver = turnOver;
    if (direction === 'down') {
      this.missing = DOWN_WINDOW;
      this.socket.send(this.ask[qos]!);
    } else if (qos === 1) {
      this.missing = 1;
      this.msgId = (this.msgId % MSG_ID_MAX) + 1;
      this.socket.send(withMsgId(this.publish[1]!, PUBLISH_MSG_ID_AT, this.msgId));
    } else {
      this.missing = 1;
      for (let i = 0; i < UP_WINDOW_QOS0; i++) this.socket.send(this.publish[0]!);
      this.socket.send(PINGREQ);
    }
  }

  close(): void {
    this.socket.close();
  }

  private onDatagram(datagram: Buffer): void {
    const type = datagram[TYPE_AT];
    if (type === PacketType.PingResp) this.confirmed(UP_WINDOW_QOS0);
    else if (type === PacketType.PubAck) {
      // One of an earlier message would be a retransmission's.
      if (datagram.readUInt16BE(PUBACK_MSG_ID_AT) === this.msgId) this.confirmed(1);
    } else if (type === PacketType.Publish) {
      if (this.traffic?.qos === 1) {
        this.socket.send(withMsgId(this.puback, PUBACK_MSG_ID_AT, datagram.readUInt16BE(PUBLISH_MSG_ID_AT)));
      }
      this.confirmed(1);
    } else throw new Error(`a client was sent a packet of type ${type}`);
  }

  private confirmed(messages: number): void {
    this.answered += messages;
    if (--this.missing === 0) this.turnOver?.();
  }

  private async request(packet: Packet): Promise<Packet> {
    const answered = new Promise<Buffer>((resolve) => this.socket.once('message', resolve));
    this.socket.send(encode(packet));
    const answer = decode(await answered);
    if (isFault(answer)) throw new Error(`the gateway sent what is no packet: ${answer.code}`);
    if (!('returnCode' in answer) || answer.returnCode !== ReturnCode.Accepted) {
      throw new Error(`packet type ${packet.type} was refused with packet type ${answer.type}`);
    }
    return answer;
  }
}

function publishOf(id: number, qos: Qos, data: Uint8Array): Buffer {
  const topic = { kind: TopicType.Normal, id } as const;
  return Buffer.from(encode({ type: PacketType.Publish, dup: false, qos, retain: false, topic, msgId: 0, data }));
}

function idIn(answer: Packet): number {
  if (!('topicId' in answer)) throw new Error(`packet type ${answer.type} has no topic id`);
  return answer.topicId;
}

/** A copy: the socket may not have sent the last one yet. */
function withMsgId(template: Buffer, at: number, msgId: number): Buffer {
  const datagram = Buffer.allocUnsafe(template.length);
  template.copy(datagram);
  datagram.writeUInt16BE(msgId, at);
  return datagram;
}
