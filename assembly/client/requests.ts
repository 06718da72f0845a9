// What is sent for each answer that may be owed: the first time, and again.

import { T_RETRY_MS } from '../memory/limits';
import { PacketType } from '../protocol/packet-type';
import { sendConnect, sendDisconnect, sendPing } from './connection';
import { begin } from './exchange';
import { sendHead, sendPubRel, sendRegister } from './outbound';
import { Request } from './state';
import { sendSubscription } from './subscriptions';
import { sendWillMessage, sendWillTopic } from './will';

/** Sends the request whose answer is of the type `owed`, and waits for that with T_retry. */
export function ask(request: Request, owed: PacketType): void {
  begin(request, owed, T_RETRY_MS);
  sendFor(owed);
}

/** Sends the request that an answer of this type is owed to. */
export function sendFor(owed: i32): void {
  switch (owed) {
    case PacketType.ConnAck:
      sendConnect();
      break;
    case PacketType.RegAck:
      sendRegister();
      break;
    case PacketType.PubAck:
    case PacketType.PubRec:
      sendHead();
      break;
    case PacketType.PubComp:
      sendPubRel();
      break;
    case PacketType.SubAck:
    case PacketType.UnsubAck:
      sendSubscription();
      break;
    case PacketType.PingResp:
      sendPing();
      break;
    case PacketType.Disconnect:
      sendDisconnect();
      break;
    case PacketType.WillTopicResp:
      sendWillTopic(PacketType.WillTopicUpd);
      break;
    default:
      sendWillMessage(PacketType.WillMsgUpd);
  }
}
