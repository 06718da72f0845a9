// The way in: CONNECT, the question whether the client may come in, and CONNACK. Whatever the client sends before the
// answer waits (MQTT 5.0, 3.1.4).
import { topicLevels } from '../core/topics.js';
import type { Log, Millis, Qos } from '../ports.js';
import type { Accepted, Client, Verdict } from './access.js';
import { encode } from './codec.js';
import type { BrokerConfig } from './config.js';
import {
  authenticationOf,
  clientIdOf,
  connackProperties,
  levelOf,
  limitAgainst,
  type Terms,
  termsOf,
} from './connecting.js';
import type { Connection } from './connection.js';
import { Dialogue } from './dialogue.js';
import type { Open } from './exchange.js';
import { Leash } from './leash.js';
import {
  type AuthPacket,
  type ConnackPacket,
  type ConnackProperties,
  type ConnectPacket,
  LEVEL_MQTT_3_1,
  LEVEL_MQTT_5,
  type Level,
  type Packet,
  type Will,
} from './packets.js';
import { mayPublish } from './permission.js';
import { isLying } from './properties.js';
import { ReasonCode } from './reason-codes.js';
import type { BrokerState } from './state.js';
import { withdrawDenied } from './subscribing.js';
import { SECOND_CONNECT, type Violation, violationOf } from './violations.js';
import { heldWill } from './wills.js';

/** Packets that wait for the end of authentication; all together they may be as large as one packet. */
const EARLY_PACKETS_MAX = 100;

const NO_CONNECT: Violation = { clause: 'MQTT-3.1.0-1', reason: ReasonCode.ProtocolError };
const OTHER_PROTOCOL: Violation = { clause: 'MQTT-3.1.2-1', reason: ReasonCode.UnsupportedProtocolVersion };
const OTHER_METHOD: Violation = { clause: 'MQTT-4.12.0-5', reason: ReasonCode.ProtocolError };
const NO_AUTH_ASKED: Violation = { clause: 'MQTT-4.12.0-3', reason: ReasonCode.ProtocolError };
const TOO_EARLY: Violation = { clause: 'MQTT-3.1.4-6', reason: ReasonCode.QuotaExceeded };

/** A client that has said who it is. */
interface Guest {
  readonly packet: ConnectPacket;
  readonly level: Level;
  readonly clientId: string;
}

export class Entrance {
  private guest: Guest | undefined;
  private dialogue: Dialogue | undefined;
  private early: Packet[] = [];
  private earlyBytes = 0;

  constructor(
    private readonly state: BrokerState,
    private readonly connection: Connection,
  ) {}

  /** `bytes`: of the packet, on the wire; 0: it comes from the same process. */
  take(packet: Packet, bytes: number, now: Millis): void {
    if (this.guest === undefined) {
      if (packet.cmd === 'connect') this.connect(packet, now);
      else this.connection.violate(NO_CONNECT, now);
      return;
    }
    const violation = packet.cmd === 'connect' ? SECOND_CONNECT : violationOf(packet, this.guest.level);
    if (violation !== undefined) this.connection.violate(violation, now);
    else if (packet.cmd === 'auth') this.goOn(packet, this.guest, now);
    else if (packet.cmd === 'disconnect') this.connection.end('disconnect', now);
    else this.keep(packet, bytes, now);
  }

  /** The connection is over. */
  leave(): void {
    this.dialogue?.end();
    this.early = [];
  }

  private goOn({ reasonCode, properties = {} }: AuthPacket, { packet }: Guest, now: Millis): void {
    const isContinued = reasonCode === ReasonCode.ContinueAuthentication;
    const isSameMethod = properties.authenticationMethod === packet.properties?.authenticationMethod;
    if (!isSameMethod) this.connection.violate(OTHER_METHOD, now);
    else if (!isContinued || !this.dialogue?.goOn(properties.authenticationData)) {
      this.connection.violate(NO_AUTH_ASKED, now);
    }
  }

  private keep(packet: Packet, bytes: number, now: Millis): void {
    this.earlyBytes += bytes;
    const isTooMuch = this.early.length >= EARLY_PACKETS_MAX || this.earlyBytes > this.state.config.packetBytesMax;
    if (isTooMuch) this.connection.violate(TOO_EARLY, now);
    else this.early.push(packet);
  }

  private connect(packet: ConnectPacket, now: Millis): void {
    const level = levelOf(packet);
    if (level === 'other-protocol') this.connection.violate(OTHER_PROTOCOL, now);
    else if (level === 'other-level') this.refuse(ReasonCode.UnsupportedProtocolVersion, now);
    else this.welcome(packet, level, now);
  }

  private welcome(packet: ConnectPacket, level: Level, now: Millis): void {
    const { state, connection } = this;
    const violation = violationOf(packet, level);
    if (violation !== undefined) {
      // One of MQTT 5.0 hears why, the others find their connection closed.
      if (level === LEVEL_MQTT_5) this.refuse(violation.reason, now);
      else connection.violate(violation, now);
      return;
    }
    const clientId = clientIdOf(packet, level, state.sessions, state.random);
    const reason =
      clientId === undefined ? ReasonCode.ClientIdentifierNotValid : this.reasonAgainst(packet, clientId, now);
    if (clientId === undefined || reason !== undefined) {
      this.refuse(reason ?? ReasonCode.ClientIdentifierNotValid, now);
      return;
    }
    this.guest = { packet, level, clientId };
    this.ask(this.guest, now);
  }

  private reasonAgainst(packet: ConnectPacket, clientId: string, now: Millis): ReasonCode | undefined {
    const { config } = this.state;
    const limit = limitAgainst(this.state, clientId, now);
    if (limit !== undefined) return limit;
    const bad = packet.will && reasonAgainstWill(packet.will, config);
    if (bad !== undefined) return bad;
    // Without authenticators there is no method to authenticate by.
    const names = packet.properties?.authenticationMethod !== undefined;
    return names && config.access === undefined ? ReasonCode.BadAuthenticationMethod : undefined;
  }

  private ask(guest: Guest, now: Millis): void {
    const { access } = this.state.config;
    if (access === undefined) {
      this.judge(guest, { outcome: 'accepted' }, now);
      return;
    }
    this.connection.awaitEntry(now);
    this.dialogue = new Dialogue(this.state, access, (verdict, at) => this.judge(guest, verdict, at));
    const { packet, clientId } = guest;
    this.dialogue.ask({ packet, clientId, peer: this.connection.peer, why: 'connect' }, now);
  }

  private judge(guest: Guest, verdict: Verdict, now: Millis): void {
    if (verdict.outcome === 'accepted') {
      const reason = this.refusesWill(guest, verdict);
      if (reason === undefined) this.enter(guest, verdict, now);
      else this.deny(reason, {}, now);
    } else if (verdict.outcome === 'refused') {
      const { reason, reasonString, serverReference } = verdict;
      const properties = { ...(reasonString && { reasonString }), ...(serverReference && { serverReference }) };
      this.deny(reason, properties, now);
    } else if (guest.packet.properties?.authenticationMethod === undefined) {
      this.deny(ReasonCode.NotAuthorized, {}, now); // it cannot be asked anything
    } else {
      const properties = authenticationOf(guest.packet, verdict.authenticationData);
      this.connection.awaitEntry(now);
      this.connection.send({ cmd: 'auth', reasonCode: ReasonCode.ContinueAuthentication, properties }, now);
    }
  }

  /** What a client may not publish while it is here, it may not leave behind either. */
  private refusesWill({ packet, clientId }: Guest, { permit, principal }: Accepted): ReasonCode | undefined {
    if (packet.will === undefined) return undefined;
    const { topic, qos = 0, retain = false } = packet.will;
    const isAllowed = mayPublish(this.state, { clientId, principal }, permit, { topic, qos: qos as Qos, retain });
    return isAllowed ? undefined : ReasonCode.NotAuthorized;
  }

  private enter(guest: Guest, verdict: Accepted, now: Millis): void {
    const { packet, level, clientId } = guest;
    const { state, connection } = this;
    const { access } = state.config;
    const terms = termsOf(packet, level, state.config, verdict);
    if (!this.fits(guest, terms, verdict, now)) {
      this.refuse(ReasonCode.PacketTooLarge, now);
      return;
    }
    state.sessions.get(clientId)?.wire?.takeOver(now); // [MQTT-3.1.4-3]
    const { session, present } = state.sessions.open(clientId, packet.clean ?? true, terms.expiryMs, now);
    state.wills.returned(clientId, present, now);
    const { principal, permit } = verdict;
    const client: Client = { clientId, username: packet.username, peer: connection.peer, principal };
    const will = packet.will && heldWill(packet.will);
    const open: Open = { state, connection, session, client, terms, permit, will, isGreeted: false, leash: undefined };
    if (will !== undefined) state.wills.made(clientId, will);
    session.wire = connection;
    session.connections++;
    session.outbound.windowMax = terms.windowMax;
    connection.enter(open, now);
    if (access !== undefined) open.leash = new Leash(open, access, packet, verdict, now);
    state.log('debug', 'connection-open', {
      clientId,
      protocol: level,
      clean: packet.clean ?? true,
      present,
      principal,
    });
    connection.send(this.connack(guest, terms, verdict, present), now);
    if (present) {
      withdrawDenied(open);
      session.resume(now);
    }
    for (const waiting of this.early) connection.receive(waiting, now);
  }

  /** Whether the client takes the least that it has to be told: it is not left waiting for it [MQTT-3.1.2-24]. */
  private fits(guest: Guest, terms: Terms, { userProperties: _, ...least }: Accepted, now: Millis): boolean {
    if (terms.packetBytesMax === Number.POSITIVE_INFINITY) return true;
    return encode(this.connack(guest, terms, least, false), terms.level, now).length <= terms.packetBytesMax;
  }

  private connack({ packet, clientId }: Guest, terms: Terms, verdict: Accepted, present: boolean): ConnackPacket {
    const properties =
      terms.level === LEVEL_MQTT_5 ? connackProperties(packet, clientId, terms, this.state.config, verdict) : undefined;
    // MQTT 3.1 has no Session Present: its clients find a reserved byte there.
    const sessionPresent = present && terms.level !== LEVEL_MQTT_3_1; // [MQTT-3.2.2-2]
    return { cmd: 'connack', reasonCode: ReasonCode.Success, sessionPresent, ...(properties && { properties }) };
  }

  private deny(reason: ReasonCode, properties: ConnackProperties, now: Millis): void {
    this.state.counters.connectionsDenied++;
    this.refuse(reason, now, properties, 'info'); // whoever has judged it has said why
  }

  private refuse(
    reasonCode: ReasonCode,
    now: Millis,
    properties: ConnackProperties = {},
    level: Parameters<Log>[0] = 'warn',
  ): void {
    const { state, connection, guest } = this;
    const { address } = connection.peer;
    state.counters.connectionsRefused++;
    state.log(level, 'connection-refused', { clientId: guest?.clientId, ...(address && { address }), reasonCode });
    connection.send({ cmd: 'connack', reasonCode, sessionPresent: false, properties }, now); // [MQTT-3.2.2-6]
    connection.end('refused', now);
  }
}

/** What keeps a client out for its will: limits that its publication would break. */
function reasonAgainstWill(
  { topic, payload, qos = 0, properties }: Will,
  config: BrokerConfig,
): ReasonCode | undefined {
  if (qos > config.qosMax) return ReasonCode.QosNotSupported; // [MQTT-3.2.2-12]
  if (topicLevels(topic) > config.topicLevelsMax) return ReasonCode.TopicNameInvalid;
  return config.checksPayloadFormat && isLying(properties, payload) ? ReasonCode.PayloadFormatInvalid : undefined;
}
