// CONNECT, and the questions about the will before its CONNACK (6.2, 6.3).
import { CLIENT_ID_MAX, CLIENT_ID_MIN, PacketType, PROTOCOL_ID, ReturnCode } from '../../assembly/protocol/index.js';
import type { Timer } from '../core/timer-queue.js';
import { isValidTopicName } from '../core/topics.js';
import type { Message, Millis } from '../ports.js';
import type { Packet } from '../wire/index.js';
import type { Core, Job } from './core.js';
import { fingerprint } from './fingerprint.js';
import type { Peer } from './peer.js';
import type { ClientSession } from './session.js';
import { SessionState } from './session.js';
import type { Sessions } from './sessions.js';

type Connect = Extract<Packet, { type: PacketType.Connect }>;
type WillTopic = Extract<Packet, { type: PacketType.WillTopic }>;

interface Dialog {
  readonly peer: Peer;
  readonly connect: Connect;
  readonly fingerprint: number;
  /** What is being asked: the topic while this is undefined, then the message. */
  willTopic: NonNullable<WillTopic['will']> | undefined;
  tries: number;
  timer: Timer<Job> | undefined;
}

const MS_PER_S = 1_000;

export class ConnectDialogs {
  private readonly byPeer = new Map<string, Dialog>();

  constructor(
    private readonly core: Core,
    private readonly sessions: Sessions,
  ) {}

  get size(): number {
    return this.byPeer.size;
  }

  onConnect(peer: Peer, connect: Connect, datagram: Uint8Array, now: Millis): void {
    const print = fingerprint(datagram);
    const running = this.byPeer.get(peer.key);
    if (running?.fingerprint === print) {
      this.ask(running, now);
      return;
    }
    // Whatever becomes of this one: who is refused is not asked about an earlier one any more.
    if (running !== undefined) this.end(running);
    if (connect.protocolId !== PROTOCOL_ID || !isClientId(connect.clientId)) {
      this.sessions.refuse(peer, ReturnCode.NotSupported);
      return;
    }
    if (!this.core.permissions.mayConnect(connect.clientId)) {
      this.core.counters.denied++;
      this.core.log('warn', 'connect-denied', { clientId: connect.clientId });
      this.sessions.refuse(peer, ReturnCode.NotSupported);
      return;
    }
    const session = this.sessions.find(connect.clientId);
    if (session !== undefined && this.answerCopy(session, peer, print, now)) return;
    if (connect.will) this.begin(peer, connect, print, now);
    else this.accept(peer, connect, print, 'keep', now);
  }

  onWillTopic(peer: Peer, packet: WillTopic, now: Millis): void {
    const dialog = this.byPeer.get(peer.key);
    if (dialog === undefined) {
      this.afterDialog(peer);
      return;
    }
    const { will } = packet;
    if (will === undefined) {
      // Nothing to ask a message for: the will, and nothing else of the session, is deleted (5.4.7).
      this.end(dialog);
      this.accept(peer, dialog.connect, dialog.fingerprint, undefined, now);
    } else if (!mayBeWill(this.core, dialog.connect.clientId, will.topic)) {
      this.end(dialog);
      this.sessions.refuse(peer, ReturnCode.NotSupported);
    } else {
      dialog.willTopic = will;
      dialog.tries = 0;
      this.ask(dialog, now);
    }
  }

  onWillMessage(peer: Peer, message: Uint8Array, now: Millis): void {
    const dialog = this.byPeer.get(peer.key);
    if (dialog === undefined) {
      this.afterDialog(peer);
      return;
    }
    const { willTopic, connect } = dialog;
    if (willTopic === undefined) {
      this.core.counters.unexpected++; // it cannot know for which topic: a late copy
      return;
    }
    this.end(dialog);
    this.accept(peer, connect, dialog.fingerprint, { ...willTopic, payload: new Uint8Array(message) }, now);
  }

  /** Whoever is refused for another reason is not asked about an earlier CONNECT any more. */
  abandon(peer: Peer): void {
    const dialog = this.byPeer.get(peer.key);
    if (dialog !== undefined) this.end(dialog);
  }

  stop(): void {
    for (const dialog of [...this.byPeer.values()]) this.end(dialog);
  }

  /**
   * A CONNECT that is, octet for octet and from the same address, the one that the session rests on.
   *
   * While the broker is still being asked it is a retransmission, and CONNACK is on its way. Shortly after CONNACK it is
   * most likely a late copy made by the network: carried out, it would wipe the subscriptions made in between. A client
   * that did restart within this time is not hurt by a CONNACK alone: what it finds is at most a few seconds old and its
   * own, it subscribes and registers again to the same effect, and ids it has forgotten it refuses with 0x02.
   *
   * Only an active client is answered like that. One that has gone to sleep or said DISCONNECT may well come back
   * quickly with the same octets, and would take itself for connected without being it.
   */
  private answerCopy(session: ClientSession, peer: Peer, print: number, now: Millis): boolean {
    const by = session.connectedBy;
    if (by?.fingerprint !== print || by.peerKey !== peer.key) return false;
    if (session.state === SessionState.Connecting) return true;
    if (session.state !== SessionState.Active || now - by.at > this.core.config.lateDuplicateMs) return false;
    if (this.core.config.lateDuplicateMs === 0) return false;
    this.core.counters.lateDuplicates++;
    // A client that has moved since is not told twice, and stays where it was last.
    if (session.peer?.key === peer.key) session.send({ type: PacketType.ConnAck, returnCode: ReturnCode.Accepted });
    return true;
  }

  private begin(peer: Peer, connect: Connect, print: number, now: Millis): void {
    if (this.byPeer.size >= this.core.config.dialogsMax) {
      this.core.counters.congested++;
      this.sessions.refuse(peer, ReturnCode.Congestion);
      return;
    }
    // Under its old name a device would take an answer to an older CONNECT for one to this.
    const other = this.sessions.at(peer);
    if (other !== undefined && other.clientId !== connect.clientId) this.sessions.lose(other, 'address-taken', now);
    const dialog: Dialog = { peer, connect, fingerprint: print, willTopic: undefined, tries: 0, timer: undefined };
    this.byPeer.set(peer.key, dialog);
    // A client that connects takes no messages: retries are not to be wasted on it.
    const session = this.sessions.find(connect.clientId);
    if (session?.state === SessionState.Active) this.sessions.stall(session);
    // What the broker says to an older CONNECT it would take for an answer to this one.
    else if (session?.state === SessionState.Connecting) this.sessions.takeBack(session, now);
    this.ask(dialog, now);
  }

  private ask(dialog: Dialog, now: Millis): void {
    this.core.cancel(dialog.timer);
    dialog.timer = this.core.at(now + this.core.config.tRetryMs, (at) => this.onRetry(dialog, at));
    const type = dialog.willTopic === undefined ? PacketType.WillTopicReq : PacketType.WillMsgReq;
    this.core.outlet.send(dialog.peer, { type });
  }

  private onRetry(dialog: Dialog, now: Millis): void {
    if (++dialog.tries > this.core.config.nRetry) {
      this.end(dialog);
      return;
    }
    this.core.counters.retransmissions++;
    this.ask(dialog, now);
  }

  private end(dialog: Dialog): void {
    this.core.cancel(dialog.timer);
    this.byPeer.delete(dialog.peer.key);
  }

  private accept(peer: Peer, connect: Connect, print: number, will: Message | undefined | 'keep', now: Millis): void {
    const { clientId, cleanSession: clean, duration } = connect;
    this.sessions.accept({ peer, clientId, clean, keepAliveMs: duration * MS_PER_S, will, fingerprint: print }, now);
  }

  /** The CONNACK at the end of the dialog was lost, and the client repeats its last answer. */
  private afterDialog(peer: Peer): void {
    const session = this.sessions.at(peer);
    if (session === undefined) {
      this.core.counters.unknownSender++;
      this.core.outlet.send(peer, { type: PacketType.Disconnect, duration: undefined });
    } else if (session.state === SessionState.Active && session.connectedBy?.will) {
      session.send({ type: PacketType.ConnAck, returnCode: ReturnCode.Accepted });
    } else this.core.counters.unexpected++;
  }
}

/** A topic to publish to, and one that this client may publish to. */
export function mayBeWill({ permissions, counters }: Core, clientId: string, topic: string): boolean {
  if (!isValidTopicName(topic)) return false;
  if (permissions.mayPublish(clientId, topic)) return true;
  counters.denied++;
  return false;
}

/** Characters are code points (5.3.1). */
function isClientId(clientId: string): boolean {
  const characters = [...clientId].length;
  return characters >= CLIENT_ID_MIN && characters <= CLIENT_ID_MAX;
}
