// A transparent MQTT-SN 1.2 gateway (4.3): one session with the broker for each client. A state machine: datagrams and time
// come in as arguments, datagrams and the next deadline come out. Nothing that arrives makes it throw.
import { PacketType, ReturnCode } from '../../assembly/protocol/index.js';
import type { Address, Millis } from '../ports.js';
import type { Packet } from '../wire/index.js';
import { decode, isFault } from '../wire/index.js';
import type { GatewayConfig } from './config.js';
import { gatewayConfig } from './config.js';
import { ConnectDialogs } from './connect-dialog.js';
import { Connectionless } from './connectionless.js';
import type { GatewayPorts } from './core.js';
import { Core } from './core.js';
import type { Counters } from './counters.js';
import { Discovery } from './discovery.js';
import type { GatewayGauges } from './gauges.js';
import { measure } from './gauges.js';
import { Inbound } from './inbound.js';
import type { Peer } from './peer.js';
import { directPeer, forwardedPeer } from './peer.js';
import { Presence } from './presence.js';
import { Requests } from './requests.js';
import type { ClientSession } from './session.js';
import { SessionState } from './session.js';
import { Sessions } from './sessions.js';
import { Sleep } from './sleep.js';
import { WillUpdate } from './will-update.js';

export class Gateway {
  private readonly core: Core;
  private readonly sessions: Sessions;
  private readonly dialogs: ConnectDialogs;
  private readonly inbound: Inbound;
  private readonly requests: Requests;
  private readonly sleep: Sleep;
  private readonly willUpdate: WillUpdate;
  private readonly discovery: Discovery;
  private readonly presence: Presence;
  private readonly connectionless: Connectionless;
  private running = false;

  /** `config` is completed with defaults. Nothing is sent before `start`. */
  constructor(config: Partial<GatewayConfig>, ports: GatewayPorts) {
    this.core = new Core(gatewayConfig(config), ports);
    this.sessions = new Sessions(this.core);
    this.dialogs = new ConnectDialogs(this.core, this.sessions);
    this.inbound = new Inbound(this.core);
    this.requests = new Requests(this.core);
    this.sleep = new Sleep(this.core, this.sessions);
    this.willUpdate = new WillUpdate(this.core, this.sessions);
    this.discovery = new Discovery(this.core);
    this.presence = new Presence(this.core, {
      up: (now) => this.discovery.start(now),
      down: () => this.discovery.stop(),
    });
    this.connectionless = new Connectionless(this.core, this.presence);
  }

  get config(): GatewayConfig {
    return this.core.config;
  }

  get counters(): Readonly<Counters> {
    return this.core.counters;
  }

  /** Sessions, connected and remembered. */
  get sessionCount(): number {
    return this.sessions.size;
  }

  /** How it stands now. Takes time in proportion to the sessions. */
  gauges(): GatewayGauges {
    const { isUp } = this.presence;
    return { ...measure(this.sessions.all(), this.dialogs.size), upstreamUp: isUp, qosMax: this.core.upstream.qosMax };
  }

  /** Takes over the sessions in the store, and looks for the broker. */
  start(now: Millis): void {
    if (this.running) return;
    this.running = true;
    this.sessions.load(now);
    this.presence.start(now);
  }

  /** One datagram. It is not kept: what is needed of it is copied. */
  receive(from: Address, datagram: Uint8Array, now: Millis): void {
    if (!this.running) return;
    this.core.counters.datagramsIn++;
    const packet = decode(datagram);
    if (isFault(packet)) {
      this.dropMalformed(from, packet.code);
      return;
    }
    if (packet.type !== PacketType.Forwarded) {
      this.dispatch(directPeer(from), packet, datagram, now);
      return;
    }
    const inner = decode(packet.inner);
    if (isFault(inner)) {
      this.dropMalformed(from, inner.code);
      return;
    }
    // Forwarders do not wrap what is wrapped already (5.5).
    if (inner.type === PacketType.Forwarded) {
      this.dropMalformed(from, 'nested-encapsulation');
      return;
    }
    this.dispatch(forwardedPeer(from, packet.wirelessNodeId), inner, packet.inner, now);
  }

  /** When `poll` has something to do; Infinity when never. */
  nextDue(): Millis {
    return this.core.nextDue();
  }

  /** Does everything that is due. Calling it too often does no harm. */
  poll(now: Millis): void {
    if (this.running) this.core.runDue(now);
  }

  /** Says DISCONNECT to every client and closes its session with the broker: no will is published. */
  stop(now: Millis): void {
    if (!this.running) return;
    this.dialogs.stop();
    this.sessions.stop(now);
    this.discovery.stop();
    this.presence.stop(now);
    this.core.cancelAll();
    this.running = false;
  }

  private dropMalformed(from: Address, code: string): void {
    this.core.counters.malformed++;
    this.core.log('debug', 'malformed-datagram', { from, code });
  }

  /** What needs no session. */
  private dispatch(peer: Peer, packet: Packet, datagram: Uint8Array, now: Millis): void {
    switch (packet.type) {
      case PacketType.Advertise:
      case PacketType.GwInfo:
        return; // another gateway's, or ours come back
      case PacketType.SearchGw:
        this.discovery.onSearch(peer, packet.radius);
        return;
      case PacketType.Connect:
        // Without a broker nobody can be served: told at once, the client tries elsewhere (6.1).
        if (!this.presence.isUp) {
          this.core.counters.congested++;
          this.dialogs.abandon(peer);
          this.sessions.refuse(peer, ReturnCode.Congestion);
          return;
        }
        this.dialogs.onConnect(peer, packet, datagram, now);
        return;
      case PacketType.WillTopic:
        this.dialogs.onWillTopic(peer, packet, now);
        return;
      case PacketType.WillMsg:
        this.dialogs.onWillMessage(peer, packet.message, now);
        return;
      case PacketType.Publish:
        if (packet.qos !== -1) break;
        this.connectionless.onPublish(packet, this.sessions.at(peer), now);
        return;
      case PacketType.PingReq:
        if (packet.clientId !== '' && this.sleep.onNamedPing(peer, packet.clientId, now)) return;
        break;
    }
    const session = this.sessions.at(peer);
    if (session === undefined) {
      this.onUnknown(peer, packet);
      return;
    }
    if (session.state === SessionState.Connecting) {
      this.unexpected();
      return;
    }
    session.lastHeard = now;
    const wasRestored = this.sessions.wake(session, now);
    if (session.state === SessionState.Offline) return; // the broker has refused it, and the client was told
    // What was sent in between is not what this acknowledges, whatever its MsgId: that was before the restart.
    if (wasRestored && isAcknowledgement(packet.type)) this.unexpected();
    else this.toSession(session, peer, packet, datagram, now);
    this.sessions.heard(session, now);
  }

  private toSession(session: ClientSession, peer: Peer, packet: Packet, datagram: Uint8Array, now: Millis): void {
    // Whoever is active and says anything but PINGREQ has been awake on purpose: see `Sleep.onNamedPing`.
    if (session.state === SessionState.Active && packet.type !== PacketType.PingReq) session.sleepMs = 0;
    switch (packet.type) {
      case PacketType.Register:
        this.requests.onRegister(session, packet, datagram, now);
        break;
      case PacketType.RegAck:
        session.delivery.onRegack(packet, now);
        break;
      case PacketType.Publish:
        this.inbound.onPublish(session, packet, datagram, now);
        break;
      case PacketType.PubAck:
        session.delivery.onPuback(packet, now);
        break;
      case PacketType.PubRec:
        session.delivery.onPubrec(packet.msgId, now);
        break;
      case PacketType.PubRel:
        this.inbound.onPubrel(session, packet.msgId, now);
        break;
      case PacketType.PubComp:
        session.delivery.onPubcomp(packet.msgId, now);
        break;
      case PacketType.Subscribe:
        this.requests.onSubscribe(session, packet, datagram, now);
        break;
      case PacketType.Unsubscribe:
        this.requests.onUnsubscribe(session, packet, datagram, now);
        break;
      case PacketType.PingReq:
        // A PINGREQ in another client's name came to nothing; this one is not answered for it (6.11).
        if (packet.clientId !== '') this.onUnknown(peer, packet);
        else this.sleep.onPing(session, now);
        break;
      case PacketType.Disconnect:
        this.sleep.onDisconnect(session, packet.duration, now);
        break;
      case PacketType.WillTopicUpd:
        this.willUpdate.onTopic(session, packet, now);
        break;
      case PacketType.WillMsgUpd:
        this.willUpdate.onMessage(session, packet.message, now);
        break;
      default:
        this.unexpected(); // what only gateways send
    }
  }

  /** A sender without a session is told, so that it connects again (5.4.21). */
  private onUnknown(peer: Peer, packet: Packet): void {
    this.core.counters.unknownSender++;
    if (isFromGateway(packet.type)) return; // two gateways would not stop telling each other
    this.core.outlet.send(peer, { type: PacketType.Disconnect, duration: undefined });
  }

  private unexpected(): void {
    this.core.counters.unexpected++;
  }
}

function isAcknowledgement(type: PacketType): boolean {
  switch (type) {
    case PacketType.RegAck:
    case PacketType.PubAck:
    case PacketType.PubRec:
    case PacketType.PubComp:
      return true;
    default:
      return false;
  }
}

function isFromGateway(type: PacketType): boolean {
  switch (type) {
    case PacketType.ConnAck:
    case PacketType.WillTopicReq:
    case PacketType.WillMsgReq:
    case PacketType.SubAck:
    case PacketType.UnsubAck:
    case PacketType.PingResp:
    case PacketType.WillTopicResp:
    case PacketType.WillMsgResp:
      return true;
    default:
      return false;
  }
}
