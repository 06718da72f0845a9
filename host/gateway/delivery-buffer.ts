// Messages that wait for one client, first in, first out, within bounds.
//
// When there is no room:
// - the oldest QoS 0 messages go first: nobody was promised them;
// - with none left, a new QoS 0 message is the one that goes;
// - a new QoS 1 or 2 message is not taken. The broker has no acknowledgement for it, so a session that it keeps still has
//   it: the owner opens that session anew once there is room, and gets it again. From the first message left with the
//   broker on, all later ones of QoS 1 and 2 are left there too, for otherwise they would overtake it.
import type { Message, Millis } from '../ports.js';
import { nameBytes } from '../wire/index.js';

/** What is owed for the message at the head of the buffer; all others are `Queued`. */
export const enum Phase {
  Queued,
  AwaitRegack,
  AwaitPuback,
  AwaitPubrec,
  AwaitPubcomp,
  /** Nothing until T_WAIT is over: the client said "congestion". */
  AwaitRoom,
}

export interface Outgoing {
  readonly message: Message;
  readonly bytes: number;
  phase: Phase;
  /** Tells the broker that the client has it; undefined at QoS 0, and when the broker session that gave it is over. */
  acknowledge: ((now: Millis) => void) | undefined;
  /** Nothing is to be told to the broker any more. */
  told: boolean;
  /** MsgId of the PUBLISH; 0 before the first. */
  msgId: number;
  /** MsgId of the REGISTER that is outstanding; 0 when there is none. */
  registerMsgId: number;
  /** Has been on the air: DUP from now on. */
  sent: boolean;
  /** How often the client said that it does not know the topic id. */
  unknownTopic: number;
}

export type Taken = 'taken' | 'dropped' | 'left-with-broker';

export class DeliveryBuffer {
  readonly queue: Outgoing[] = [];
  private bytes = 0;
  /** Some message was left with the broker. */
  owed = false;

  constructor(
    private readonly messagesMax: number,
    private readonly bytesMax: number,
    private readonly dropped: (message: Message) => void,
  ) {}

  get head(): Outgoing | undefined {
    return this.queue[0];
  }

  /** `brokerKeeps`: the broker would send the message again on a new session. */
  add(message: Message, acknowledge: (now: Millis) => void, brokerKeeps: boolean): Taken {
    const bytes = nameBytes(message.topic) + message.payload.length;
    if (message.qos > 0 && this.owed) return 'left-with-broker';
    if (!this.makeRoom(bytes)) {
      // What would not even fit an empty buffer is not asked for again.
      if (message.qos === 0 || !brokerKeeps || bytes > this.bytesMax) return 'dropped';
      this.owed = true;
      return 'left-with-broker';
    }
    this.bytes += bytes;
    this.queue.push({
      message,
      bytes,
      phase: Phase.Queued,
      acknowledge: message.qos === 0 ? undefined : acknowledge,
      told: message.qos === 0,
      msgId: 0,
      registerMsgId: 0,
      sent: false,
      unknownTopic: 0,
    });
    return 'taken';
  }

  /** Puts a QoS 0 message that the client could not place back before everything that was not begun yet. */
  putBack(outgoing: Outgoing): void {
    const index = this.head !== undefined && this.head.phase !== Phase.Queued ? 1 : 0;
    this.queue.splice(index, 0, outgoing);
    this.bytes += outgoing.bytes;
  }

  shift(): Outgoing | undefined {
    const outgoing = this.queue.shift();
    if (outgoing !== undefined) this.bytes -= outgoing.bytes;
    return outgoing;
  }

  /** Takes out whatever `remove` says. */
  filterOut(remove: (outgoing: Outgoing) => boolean): void {
    for (let i = this.queue.length - 1; i >= 0; i--) if (remove(this.queue[i]!)) this.takeOut(i);
  }

  private makeRoom(bytes: number): boolean {
    if (bytes > this.bytesMax) return false;
    const fits = () => this.queue.length < this.messagesMax && this.bytes + bytes <= this.bytesMax;
    while (!fits()) {
      const oldest = this.queue.findIndex(({ message, phase }) => message.qos === 0 && phase === Phase.Queued);
      if (oldest < 0) return false;
      this.dropped(this.takeOut(oldest).message);
    }
    return true;
  }

  private takeOut(index: number): Outgoing {
    const [outgoing] = this.queue.splice(index, 1);
    this.bytes -= outgoing!.bytes;
    return outgoing!;
  }
}
