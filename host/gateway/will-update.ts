// WILLTOPICUPD and WILLMSGUPD (6.4). MQTT knows a will only at CONNECT, so a new will means a new session with the broker:
// the old one is closed with a DISCONNECT, which fires nothing, and what had been subscribed is kept or subscribed again.
// The answer is sent when the broker has the new will.
import { PacketType, ReturnCode } from '../../assembly/protocol/index.js';
import type { Message, Millis } from '../ports.js';
import type { Packet } from '../wire/index.js';
import { mayBeWill } from './connect-dialog.js';
import type { Core } from './core.js';
import { sameWill } from './message.js';
import type { ClientSession } from './session.js';
import type { Sessions } from './sessions.js';

type WillTopicUpd = Extract<Packet, { type: PacketType.WillTopicUpd }>;
type AnswerType = PacketType.WillTopicResp | PacketType.WillMsgResp;

const NO_MESSAGE = new Uint8Array();

export class WillUpdate {
  constructor(
    private readonly core: Core,
    private readonly sessions: Sessions,
  ) {}

  onTopic(session: ClientSession, { will }: WillTopicUpd, now: Millis): void {
    const type = PacketType.WillTopicResp;
    if (will === undefined)
      this.change(session, undefined, type, now); // topic and message (6.4)
    else if (mayBeWill(this.core, session.clientId, will.topic)) {
      this.change(session, { ...will, payload: session.will?.payload ?? NO_MESSAGE }, type, now);
    } else session.send({ type, returnCode: ReturnCode.NotSupported });
  }

  onMessage(session: ClientSession, message: Uint8Array, now: Millis): void {
    const type = PacketType.WillMsgResp;
    // A message for no topic would never be published: better refused than forgotten.
    if (session.will === undefined) session.send({ type, returnCode: ReturnCode.NotSupported });
    else this.change(session, { ...session.will, payload: new Uint8Array(message) }, type, now);
  }

  private change(session: ClientSession, will: Message | undefined, type: AnswerType, now: Millis): void {
    // A retransmission, its answer lost: nothing is to be done again.
    const { link } = session;
    if (link?.isConnected && !session.reopen && sameWill(link.options.will, will)) {
      session.send({ type, returnCode: ReturnCode.Accepted });
      return;
    }
    session.will = will;
    session.save();
    session.owed = { type, returnCode: ReturnCode.Accepted };
    this.sessions.requestReopen(session, now);
  }
}
