// All sessions: who is where, how a session begins and ends, and its session with the broker.
import { PacketType, ReturnCode } from '../../assembly/protocol/index.js';
import type { Message, Millis } from '../ports.js';
import type { Packet } from '../wire/index.js';
import type { Core } from './core.js';
import { sameWill } from './message.js';
import type { Peer } from './peer.js';
import { directPeer, forwardedPeer } from './peer.js';
import type { SessionEvents } from './session.js';
import { ClientSession, InboundPhase, SessionState } from './session.js';
import { decodeRecord, isSessionKey, keyOf, type SessionRecord } from './session-record.js';
import { withTolerance } from './tolerance.js';
import { UpstreamLink } from './upstream-link.js';

/** A CONNECT whose dialog is complete. */
export interface ConnectRequest {
  readonly peer: Peer;
  readonly clientId: string;
  readonly clean: boolean;
  readonly keepAliveMs: number;
  /** `keep` when the client did not ask to be asked (Will=0); undefined deletes it. */
  readonly will: Message | undefined | 'keep';
  readonly fingerprint: number;
}

export class Sessions implements SessionEvents {
  private readonly byClientId = new Map<string, ClientSession>();
  private readonly byPeer = new Map<string, ClientSession>();
  /** Remembered sessions, the one longest offline first. */
  private readonly offline = new Set<ClientSession>();

  constructor(private readonly core: Core) {}

  get size(): number {
    return this.byClientId.size;
  }

  find(clientId: string): ClientSession | undefined {
    return this.byClientId.get(clientId);
  }

  at(peer: Peer): ClientSession | undefined {
    return this.byPeer.get(peer.key);
  }

  all(): Iterable<ClientSession> {
    return this.byClientId.values();
  }

  /** Takes over what a gateway before this one has recorded. Clients that were there are so still, as far as is known. */
  load(now: Millis): void {
    const { store, log } = this.core;
    for (const [key, value] of [...(store?.entries() ?? [])]) {
      if (!isSessionKey(key)) continue;
      const record = decodeRecord(value);
      const isGood = record !== undefined && this.core.permissions.mayConnect(record.clientId);
      if (isGood && this.byClientId.size < this.core.config.sessionsMax) this.restore(record, now);
      else {
        log('warn', 'session-record-dropped', { key });
        store?.delete(key);
      }
    }
  }

  /**
   * A client that was there before a restart is heard. Not before that its session with the broker is opened: it may be
   * another gateway's client by now, from which it would be taken away. False where there was nothing to be done.
   */
  wake(session: ClientSession, now: Millis): boolean {
    if (session.link?.isStarted !== false) return false;
    this.startLink(session, now);
    return true;
  }

  /** Carries out a CONNECT (6.2, 6.3). CONNACK follows when the broker has agreed. */
  accept(request: ConnectRequest, now: Millis): void {
    const other = this.at(request.peer);
    // A device was given a new name. Who had the address before will not be heard again.
    if (other !== undefined && other.clientId !== request.clientId) this.lose(other, 'address-taken', now);
    if (request.clean) this.forget(request.clientId, now);
    const session = this.find(request.clientId) ?? this.create(request.clientId, now);
    if (session === undefined) {
      this.refuse(request.peer, ReturnCode.Congestion);
      return;
    }
    const hasMoved = session.peer !== undefined && session.peer.key !== request.peer.key;
    this.move(session, request.peer);
    session.clean = request.clean;
    session.keepAliveMs = request.keepAliveMs;
    // CleanSession=0 and Will=0: the will stays as it was (6.3).
    if (request.will !== 'keep' && !sameWill(session.will, request.will)) session.will = request.will;
    // A copy of the CONNECT from before the sleep may have been made by the network: see `Sleep.onPing`.
    if (!this.mayBeCopy(session, request, now)) session.sleepMs = 0;
    session.connectedBy = {
      fingerprint: request.fingerprint,
      peerKey: request.peer.key,
      will: request.will !== 'keep',
      at: now,
    };
    session.owed = undefined;
    session.lastHeard = now;
    session.delivery.suspend();
    session.state = SessionState.Connecting;
    if (hasMoved) session.save();
    this.core.cancel(session.aliveTimer);
    session.aliveTimer = undefined;
    const { link } = session;
    // The session with the broker goes on if a new one would be no different.
    const usable = link?.isConnected === true && link.options.clean === session.clean;
    if (usable && link.options.will === session.will) this.activate(session, now);
    else this.openLink(session, now);
  }

  refuse(peer: Peer, returnCode: ReturnCode): void {
    this.core.counters.connectsRefused++;
    this.core.outlet.send(peer, { type: PacketType.ConnAck, returnCode });
  }

  /** The client has a new address (6.14, 5.4.21). */
  move(session: ClientSession, peer: Peer): void {
    if (session.peer !== undefined && this.byPeer.get(session.peer.key) === session) {
      this.byPeer.delete(session.peer.key);
    }
    session.peer = peer;
    this.byPeer.set(peer.key, session);
    this.offline.delete(session);
  }

  /** Starts supervision anew after a change of state: keep-alive, or the sleep that was announced, each with tolerance. */
  supervise(session: ClientSession, now: Millis): void {
    this.core.cancel(session.aliveTimer);
    session.aliveTimer = undefined;
    const promisedMs = session.state === SessionState.Active ? session.keepAliveMs : session.sleepMs;
    if (promisedMs === 0) return; // Duration 0 in CONNECT: no supervision
    const silenceMsMax = withTolerance(promisedMs);
    const check = (at: Millis): void => {
      const dueMs = session.lastHeard + silenceMsMax;
      if (at < dueMs) session.aliveTimer = this.core.at(dueMs, check);
      else this.lose(session, 'silent', at);
    };
    session.aliveTimer = this.core.at(Math.max(now, session.lastHeard + silenceMsMax), check);
  }

  /** The client said goodbye: its will is not published. */
  disconnect(session: ClientSession, now: Millis): void {
    this.core.counters.disconnects++;
    session.send({ type: PacketType.Disconnect, duration: undefined });
    session.link?.close(now);
    this.goOffline(session);
  }

  /** The client fell silent: the broker publishes its will. */
  lose(session: ClientSession, reason: string, now: Millis): void {
    this.core.counters.clientsLost++;
    this.core.log('info', 'client-lost', { clientId: session.clientId, reason });
    session.link?.abort(now);
    this.goOffline(session);
  }

  /** The client connects once more before the broker has answered: there is no will to publish, and nobody to be told. */
  takeBack(session: ClientSession, now: Millis): void {
    session.link?.close(now);
    this.goOffline(session);
  }

  /** Opens the broker session anew with the will and CleanSession of now, as soon as it is quiet there. */
  requestReopen(session: ClientSession, now: Millis): void {
    session.reopen = true;
    this.idle(session, now);
  }

  stop(now: Millis): void {
    for (const session of [...this.byClientId.values()]) {
      if (session.state !== SessionState.Offline) this.disconnect(session, now);
    }
  }

  /** A clean session that cannot hold what its client was promised. The client is not dead: no will. */
  overrun(session: ClientSession, now: Millis): void {
    this.core.counters.sessionsOverrun++;
    this.core.log('warn', 'session-overrun', { clientId: session.clientId });
    session.send({ type: PacketType.Disconnect, duration: undefined });
    session.link?.close(now);
    this.goOffline(session);
  }

  unreachable(session: ClientSession, now: Millis): void {
    // An awake client gives up, too, and sleeps on (6.14). It is lost only when its sleep is over.
    if (session.state === SessionState.Awake) this.fallAsleep(session, now);
    // Whether an active one lives is for its keep-alive to say: its will must not be published before (6.3). Until it is
    // heard there is no use in talking to it.
    else if (session.keepAliveMs > 0) this.stall(session);
    else {
      session.send({ type: PacketType.Disconnect, duration: undefined }); // perhaps it hears this, and comes back
      this.lose(session, 'unreachable', now);
    }
  }

  /** Keeps what waits for the client until it is heard. */
  stall(session: ClientSession): void {
    session.delivery.suspend();
    session.stalled = true;
  }

  /** The client has said something, and its packet was dealt with. */
  heard(session: ClientSession, now: Millis): void {
    if (session.stalled && session.state === SessionState.Active) session.delivery.resume(now);
    session.stalled = false;
  }

  paused(session: ClientSession, now: Millis): void {
    if (session.state === SessionState.Awake) this.answerPing(session, now);
  }

  drained(session: ClientSession, now: Millis): void {
    if (session.delivery.owed) {
      this.requestReopen(session, now);
      if (!session.delivery.isEmpty) return;
    }
    if (session.state === SessionState.Awake) this.answerPing(session, now);
  }

  /** Asleep, or asleep again. */
  fallAsleep(session: ClientSession, now: Millis): void {
    session.delivery.suspend();
    const wasAwake = session.state === SessionState.Awake;
    session.state = SessionState.Asleep;
    if (!wasAwake) session.save();
    this.supervise(session, now);
  }

  private answerPing(session: ClientSession, now: Millis): void {
    session.send({ type: PacketType.PingResp });
    session.lastHeard = now; // the sleep is timed from PINGRESP (6.14)
    this.fallAsleep(session, now);
  }

  private mayBeCopy(session: ClientSession, request: ConnectRequest, now: Millis): boolean {
    const by = session.connectedBy;
    if (session.state !== SessionState.Asleep || by === undefined) return false;
    const same = by.fingerprint === request.fingerprint && by.peerKey === request.peer.key;
    return same && now - by.at <= this.core.config.lateDuplicateMs;
  }

  private activate(session: ClientSession, now: Millis): void {
    this.core.counters.connects++;
    session.state = SessionState.Active;
    session.lastHeard = now;
    if (session.connectedBy !== undefined) session.connectedBy.at = now;
    session.save();
    this.supervise(session, now);
    session.send({ type: PacketType.ConnAck, returnCode: ReturnCode.Accepted });
    session.stalled = false;
    session.delivery.resume(now);
  }

  private create(clientId: string, now: Millis): ClientSession | undefined {
    if (this.byClientId.size >= this.core.config.sessionsMax) {
      const [oldest] = this.offline;
      if (oldest === undefined) return undefined;
      this.core.counters.sessionsForgotten++;
      this.forget(oldest.clientId, now);
    }
    const session = new ClientSession(this.core, clientId, this);
    this.byClientId.set(clientId, session);
    return session;
  }

  /** Wipes a session. The client is there or on its way, so no will is published. */
  private forget(clientId: string, now: Millis): void {
    const session = this.find(clientId);
    if (session === undefined) return;
    session.link?.close(now);
    session.clean = true;
    this.core.store?.delete(keyOf(clientId));
    this.goOffline(session);
  }

  private goOffline(session: ClientSession): void {
    session.state = SessionState.Offline;
    session.stalled = false;
    session.delivery.suspend();
    session.delivery.leaveToBroker();
    this.linkOver(session);
    this.core.cancel(session.aliveTimer);
    session.aliveTimer = undefined;
    session.owed = undefined;
    session.reopen = false;
    if (session.peer !== undefined && this.byPeer.get(session.peer.key) === session) {
      this.byPeer.delete(session.peer.key);
    }
    session.peer = undefined;
    if (session.clean) {
      this.byClientId.delete(session.clientId);
      this.offline.delete(session);
    } else {
      this.offline.add(session);
      session.save();
    }
  }

  /** Answers of the broker that were to come will not come. */
  private linkOver(session: ClientSession): void {
    session.link = undefined;
    this.core.cancel(session.linkTimer);
    session.linkTimer = undefined;
    session.pendingQos1.clear();
    session.asking = undefined;
    // The client will say it again, and the broker recognises the MsgId.
    for (const [msgId, record] of session.qos2) {
      if (record.phase === InboundPhase.AwaitPubrec) session.qos2.delete(msgId);
      else record.phase = InboundPhase.AwaitPubrel;
    }
    session.recent.forgetUnanswered();
  }

  private openLink(session: ClientSession, now: Millis): void {
    session.link?.close(now);
    this.linkOver(session);
    session.reopen = false;
    session.link = this.linkFor(session);
    this.startLink(session, now);
  }

  private linkFor(session: ClientSession): UpstreamLink {
    const { clientId, clean, will } = session;
    const options = will === undefined ? { clientId, clean } : { clientId, clean, will };
    return new UpstreamLink(options, session);
  }

  private startLink(session: ClientSession, now: Millis): void {
    const { link } = session;
    if (link === undefined) return;
    session.linkTimer = this.core.at(now + this.core.config.upstreamTimeoutMs, (at) => {
      link.abort(at);
      this.closed(session, 'timeout', at);
    });
    link.start(this.core.upstream, now);
  }

  private restore(record: SessionRecord, now: Millis): void {
    const { clientId, peer } = record;
    const session = new ClientSession(this.core, clientId, this);
    this.core.counters.sessionsRestored++;
    this.byClientId.set(clientId, session);
    session.clean = false;
    session.keepAliveMs = record.keepAliveMs;
    session.sleepMs = record.sleepMs;
    // The permissions may be others than those under which this was recorded.
    const { permissions } = this.core;
    if (record.will !== undefined && permissions.mayPublish(clientId, record.will.topic)) session.will = record.will;
    session.topics.restore(record.topics);
    for (const [filter, subscription] of record.subscriptions) {
      if (permissions.maySubscribe(clientId, filter)) session.subscriptions.set(filter, subscription);
    }
    if (peer === undefined) {
      this.offline.add(session);
      return;
    }
    this.move(session, peer.node === undefined ? directPeer(peer.address) : forwardedPeer(peer.address, peer.node));
    session.state = record.isAsleep ? SessionState.Asleep : SessionState.Active;
    session.lastHeard = now;
    this.supervise(session, now);
    if (!record.isAsleep) session.delivery.resume(now);
    session.link = this.linkFor(session); // what the client says meanwhile waits in it
  }

  connected(session: ClientSession, sessionPresent: boolean, now: Millis): void {
    this.core.cancel(session.linkTimer);
    session.linkTimer = undefined;
    session.delivery.upstreamBack(sessionPresent, now);
    if (!sessionPresent) this.subscribeAgain(session, now);
    if (session.state === SessionState.Connecting) this.activate(session, now);
    if (session.owed !== undefined) session.send(session.owed);
    session.owed = undefined;
  }

  /** The client believes in its subscriptions; a broker that has lost them, or a session opened anew, is told. */
  private subscribeAgain(session: ClientSession, now: Millis): void {
    for (const [filter, { qos }] of session.subscriptions) {
      session.link?.subscribe(filter, qos, now, (granted) => {
        if (granted !== undefined) return;
        session.subscriptions.delete(filter);
        this.core.log('warn', 'subscription-lost', { clientId: session.clientId, filter });
      });
    }
  }

  /** A session that is to be opened anew is so as soon as nothing is pending there. */
  idle(session: ClientSession, now: Millis): void {
    if (session.reopen && session.link !== undefined && session.link.pending === 0) this.openLink(session, now);
  }

  closed(session: ClientSession, reason: string, now: Millis): void {
    this.core.counters.upstreamsLost++;
    this.core.log('warn', 'upstream-closed', { clientId: session.clientId, reason, at: now });
    const packet: Packet =
      session.state === SessionState.Connecting
        ? { type: PacketType.ConnAck, returnCode: ReturnCode.Congestion }
        : { type: PacketType.Disconnect, duration: undefined };
    if (session.state === SessionState.Connecting) this.core.counters.connectsRefused++;
    session.send(packet);
    this.goOffline(session);
  }
}
