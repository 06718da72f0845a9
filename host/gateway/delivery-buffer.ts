// Messages that wait for one client, first in, first out, within bounds.
//
// When there is no room:
// - the oldest QoS 0 messages go first: nobody was promised them;
// - with none left, a new QoS 0 message is the one that goes;
// - a new QoS 1 or 2 message is not taken. The broker has no acknowledgement for it, so a session that it keeps still has
//   it: the owner opens that session anew once there is room, and gets it again. From the first message left with the
//   broker on, all later ones of QoS 1 and 2 are left there too, for otherwise they would overtake it. Of a clean session
//   the broker keeps nothing; there the owner ends the session, rather than acknowledge what the client never gets.
import type { Message, PacketId } from '../ports.js';
import { nameBytes } from '../wire/index.js';

/** What is owed for the message at the head of the buffer; all others are `Queued`. */
export const enum Phase {
  Queued,
  AwaitRegack,
  AwaitPuback,
  AwaitPubrec,
  /** The broker's PUBREL: the client has the message, and the broker was told. */
  AwaitPubrel,
  AwaitPubcomp,
  /** Nothing until T_WAIT is over: the client said "congestion". */
  AwaitRoom,
}

export interface Outgoing {
  readonly message: Message;
  /** The broker's packet identifier and MsgId of the PUBLISH; 0 at QoS 0. */
  readonly id: PacketId;
  readonly bytes: number;
  phase: Phase;
  /** The broker has lost the session that this came on: nothing is to be told to it. */
  orphaned: boolean;
  /** The client may have seen it, here or on another gateway: DUP from now on. */
  sent: boolean;
  /** This gateway has sent it: an acknowledgement may be for it. One from before is of no use, since more than one message may have had its MsgId. */
  onAir: boolean;
  /** Of a QoS 2 message only the end is owed: the client took it before this gateway knew of it. */
  readonly onlyRelease: boolean;
  /** MsgId of the REGISTER that is outstanding; 0 when there is none. */
  registerMsgId: number;
  /** How often the client said that it does not know the topic id. */
  unknownTopic: number;
}

export interface BufferOwner {
  /** The message had to go for another one. */
  overflowed(message: Message): void;
}

/**
 * `overrun`: QoS 1 or 2 finds no room, and the broker would not send it again: acknowledged it would be lost without a word.
 * `too-large`: it would not fit an empty buffer.
 */
export type Taken = 'taken' | 'dropped' | 'too-large' | 'left-with-broker' | 'overrun';

export class DeliveryBuffer {
  queue: Outgoing[] = [];
  /** Octets of topics and payloads. */
  bytes = 0;
  /** Without those of which only the end is owed. */
  messages = 0;
  /** Some message was left with the broker. */
  owed = false;

  constructor(
    private readonly messagesMax: number,
    private readonly bytesMax: number,
    private readonly owner: BufferOwner,
  ) {}

  get head(): Outgoing | undefined {
    return this.queue[0];
  }

  /** `dup`: the client may have seen it. `brokerKeeps`: the broker would send the message again on a new session. */
  add(message: Message, id: PacketId, dup: boolean, brokerKeeps: boolean): Taken {
    const bytes = nameBytes(message.topic) + message.payload.length;
    if (message.qos > 0 && this.owed) return 'left-with-broker';
    if (!this.makeRoom(bytes)) {
      if (bytes > this.bytesMax) return 'too-large';
      if (message.qos === 0) return 'dropped';
      if (!brokerKeeps) return 'overrun';
      this.owed = true;
      return 'left-with-broker';
    }
    this.push(outgoing(message, id, bytes, dup, false));
    return 'taken';
  }

  /** The end of a handshake. It takes no room worth counting, and must not wait for any. */
  addRelease(id: PacketId): void {
    this.push(outgoing(NO_MESSAGE, id, 0, true, true));
  }

  /** The message of this identifier that the broker is still to be told of. */
  find(id: PacketId): Outgoing | undefined {
    return this.queue.find((entry) => entry.id === id && id !== 0 && !entry.orphaned);
  }

  /**
   * Puts a QoS 0 message that the client could not place back before everything that was not begun yet. False where its
   * room was taken meanwhile.
   */
  putBack(outgoing: Outgoing): boolean {
    if (this.messages >= this.messagesMax || this.bytes + outgoing.bytes > this.bytesMax) return false;
    const index = this.head !== undefined && this.head.phase !== Phase.Queued ? 1 : 0;
    this.queue.splice(index, 0, outgoing);
    this.count(outgoing, 1);
    return true;
  }

  shift(): Outgoing | undefined {
    const outgoing = this.queue.shift();
    if (outgoing !== undefined) this.count(outgoing, -1);
    return outgoing;
  }

  /** Takes out whatever `remove` says. */
  filterOut(remove: (outgoing: Outgoing) => boolean): void {
    for (let i = this.queue.length - 1; i >= 0; i--) if (remove(this.queue[i]!)) this.takeOut(i);
  }

  private push(outgoing: Outgoing): void {
    // An array that grows makes room for 17, and for most clients at most one message waits.
    if (this.queue.length === 0) this.queue = [outgoing];
    else this.queue.push(outgoing);
    this.count(outgoing, 1);
  }

  private count({ bytes, onlyRelease }: Outgoing, times: 1 | -1): void {
    this.bytes += times * bytes;
    if (!onlyRelease) this.messages += times;
  }

  private makeRoom(bytes: number): boolean {
    if (bytes > this.bytesMax) return false;
    const fits = () => this.messages < this.messagesMax && this.bytes + bytes <= this.bytesMax;
    while (!fits()) {
      const oldest = this.queue.findIndex(({ message, phase }) => message.qos === 0 && phase === Phase.Queued);
      if (oldest < 0) return false;
      this.owner.overflowed(this.takeOut(oldest).message);
    }
    return true;
  }

  private takeOut(index: number): Outgoing {
    const [outgoing] = this.queue.splice(index, 1);
    this.count(outgoing!, -1);
    return outgoing!;
  }
}

const NO_MESSAGE: Message = { topic: '', payload: new Uint8Array(), qos: 2, retain: false };

function outgoing(message: Message, id: PacketId, bytes: number, sent: boolean, onlyRelease: boolean): Outgoing {
  const phase = Phase.Queued;
  return {
    message,
    id,
    bytes,
    phase,
    orphaned: false,
    sent,
    onAir: false,
    onlyRelease,
    registerMsgId: 0,
    unknownTopic: 0,
  };
}
