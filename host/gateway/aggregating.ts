// An upstream that needs one connection to the broker for any number of clients: an aggregating gateway (4.3) behind the
// same port as a transparent one. It is the broker of its clients and the one client of the real broker.
//
// Its session with the broker is opened with `clean: false`, so that messages wait there while the connection is lost.
// Without records of it, from a store, that session is made empty first: what waits in it belongs to clients that nobody
// remembers, and identifiers that the broker still holds would swallow new messages.
//
// While the broker cannot be reached no client is connected: they are told, and may come back when it is.
//
// Wills are published here, when a client is aborted, loses its session to another connection of its name, or is thrown out.
// When the shared session is lost the wills of all that were connected are owed, and published first when it is back, as
// each client's own connection would have had them published; with a store also after the process has died. Clients that live come
// back after that. The other choice, none, would leave dead clients for alive if they died meanwhile.
//
// The window. A broker sends so many messages ahead of their acknowledgements, to the shared session as to any other:
// mosquitto 20 (max_inflight_messages), NATS 1,024 (max_ack_pending), Thimble's own 20 (inflightMax). A message to a client that
// is away is not acknowledged until it has come for it, so those who are away could fill the window and silence everybody.
// Acknowledging it for them would be a lie, keeping it back a standstill. So both are bounded, `awayMessagesMax` a client and
// `heldMessagesMax` for all that are away: beyond it a client that is away loses its session, the one that has been away
// longest. That is logged, and its next connection says that no session is present. A sleeping client of a gateway is not away:
// its session is open, and it holds its part of the window for as long as it sleeps.
import type {
  Log,
  Message,
  Millis,
  Qos,
  Random,
  Store,
  Upstream,
  UpstreamEvents,
  UpstreamOptions,
  UpstreamSession,
} from '../ports.js';
import type { Connection, Hub } from './aggregating-client.js';
import { VirtualClient } from './aggregating-client.js';
import { Deliveries } from './aggregating-deliveries.js';
import { Events } from './aggregating-events.js';
import { SharedFilters } from './aggregating-filters.js';
import { Journal, parseClientKey, restoredMessage, storedMessage } from './aggregating-journal.js';
import { SharedLink } from './aggregating-link.js';
import { Publishes } from './aggregating-publishes.js';
import { RetainedWaiters } from './aggregating-retained.js';
import type { SessionParts } from './aggregating-session.js';
import { VirtualSession } from './aggregating-session.js';
import type { UpstreamLink } from './upstream-link.js';

export interface AggregatingOptions {
  /** Of the shared session. */
  readonly clientId: string;
  /** Where persistent sessions, QoS 2 handshakes and wills outlive the process. Default: they do not. */
  readonly store?: Store;
  readonly random: Random;
  readonly log?: Log;
  /** The next deadline is now `dueMs`, earlier than before. */
  readonly rescheduled?: (dueMs: Millis) => void;
  /** Clients, connected and remembered; for a new one, the one longest away is forgotten. 1 to 2^20, default 10,000. */
  readonly sessionsMax?: number;
  /** QoS 1 and 2 messages that wait for one client that is away; beyond it its session ends. 1 to Infinity, default 100. */
  readonly awayMessagesMax?: number;
  /**
   * Messages of the broker that wait for clients that are away, all together. Keep it below what the broker sends ahead of
   * acknowledgements. 1 to Infinity (then the broker may fall silent for all until one of them is back), default 15.
   */
  readonly heldMessagesMax?: number;
  /**
   * QoS 2 handshakes with the broker that are open at a time; further messages wait. Not above mosquitto's max_inflight_messages,
   * beyond which it loses them. 1 to 65,535, default 20.
   */
  readonly publishQos2Max?: number;
}

const DEFAULTS = { sessionsMax: 10_000, awayMessagesMax: 100, heldMessagesMax: 15, publishQos2Max: 20 };

/** Moments of an aggregating upstream. */
export interface AggregatingGauges {
  readonly isConnected: boolean;
  /** Clients, connected and remembered. */
  readonly sessions: number;
  readonly away: number;
  /** Filters of the shared session. */
  readonly filters: number;
  /** Messages that the broker has no acknowledgement for; and those of them that wait for clients that are away. */
  readonly outstanding: number;
  readonly held: number;
  /** PUBLISHes of QoS 1 and 2 whose handshake with the broker is not over. */
  readonly publishing: number;
  /** Sessions that have ended by one of the bounds, since the start. */
  readonly overrun: number;
}

export class AggregatingUpstream implements Upstream {
  private readonly limits: typeof DEFAULTS;
  private readonly random: Random;
  private readonly log: Log;
  private readonly journal: Journal;
  private readonly events = new Events();
  private readonly clients = new Map<string, VirtualClient>();
  /** Without a connection, the one longest away first. */
  private readonly away = new Set<VirtualClient>();
  private readonly waiters = new RetainedWaiters();
  private readonly filters: SharedFilters;
  private readonly deliveries: Deliveries;
  private readonly publishes: Publishes;
  private readonly parts: SessionParts;
  private readonly shared: SharedLink;
  /** Of clients that were connected when the shared session was lost, or when the last process died. */
  private owedWills = new Map<string, Message>();
  private overruns = 0;

  /** Nothing is sent before `start` or the first `open`. What the store holds is read here. */
  constructor(
    private readonly upstream: Upstream,
    options: AggregatingOptions,
  ) {
    const { sessionsMax, awayMessagesMax, heldMessagesMax, publishQos2Max } = options;
    this.limits = {
      sessionsMax: sessionsMax ?? DEFAULTS.sessionsMax,
      awayMessagesMax: awayMessagesMax ?? DEFAULTS.awayMessagesMax,
      heldMessagesMax: heldMessagesMax ?? DEFAULTS.heldMessagesMax,
      publishQos2Max: publishQos2Max ?? DEFAULTS.publishQos2Max,
    };
    this.random = options.random;
    this.log = options.log ?? (() => {});
    this.journal = new Journal(options.store);
    const hub = this.hub();
    this.filters = new SharedFilters(hub, this.waiters);
    this.deliveries = new Deliveries(hub, this.filters.tree, this.waiters);
    this.publishes = new Publishes(hub, options.random, this.limits.publishQos2Max);
    const { filters, deliveries, publishes } = this;
    this.parts = {
      filters,
      deliveries,
      publishes,
      step: (work) => this.step(work),
      tell: hub.tell,
      leave: (client, isAbort, now) => this.leave(client, isAbort, now),
    };
    const isKnown = this.restore(options.clientId);
    this.shared = new SharedLink(
      upstream,
      options.clientId,
      isKnown,
      options.random,
      options.rescheduled ?? (() => {}),
      {
        connected: (present, now) => this.step(() => this.onConnected(present, now)),
        message: (message, id, dup, now) =>
          this.step(() => {
            for (const client of deliveries.onMessage(message, id, dup, now)) this.boundOne(client, now);
            this.bound(now);
          }),
        released: (id, now) => this.step(() => deliveries.onReleased(id, now)),
        closed: (reason, now) => this.step(() => this.onLost(reason, now)),
        emptied: () => this.journal.put('session', '', { clientId: options.clientId }),
      },
    );
  }

  /** The broker's, as far as is known by now. */
  get qosMax(): Qos {
    return this.upstream.qosMax;
  }

  get gauges(): AggregatingGauges {
    return {
      isConnected: this.shared.link !== undefined,
      sessions: this.clients.size,
      away: this.away.size,
      filters: this.filters.size,
      outstanding: this.deliveries.outstanding,
      held: this.deliveries.held,
      publishing: this.publishes.size,
      overrun: this.overruns,
    };
  }

  /** Connects, and from now on again whenever the connection is lost. */
  start(now: Millis): void {
    this.step(() => this.shared.start(now));
  }

  /** Says DISCONNECT to the broker; clients that are still connected are told, and no will is published. */
  stop(now: Millis): void {
    this.step(() => {
      this.shared.stop(now);
      this.cutAll('stopped', false, now);
    });
  }

  /** When `poll` has something to do: to connect again, or to give a connection up. Infinity when never. */
  nextDue(): Millis {
    return this.shared.nextDue();
  }

  poll(now: Millis): void {
    this.step(() => this.shared.poll(now));
  }

  /**
   * `connected` says whether the client's session was remembered. Ends in `closed` at once where the broker is not connected
   * (`upstream-lost`) or no more clients can be remembered (`sessions-max`).
   */
  open(options: UpstreamOptions, events: UpstreamEvents, now: Millis): UpstreamSession {
    return this.step(() => {
      this.shared.start(now);
      const session = new VirtualSession(this.parts, events, options.will);
      const refusal = this.enter(session, options, now);
      if (refusal !== undefined) this.hubTell(session, (owner) => owner.closed(refusal, now));
      return session;
    });
  }

  private hub(): Hub {
    const aggregate = this;
    return {
      journal: this.journal,
      get qosMax() {
        return aggregate.upstream.qosMax;
      },
      get link(): UpstreamLink | undefined {
        return aggregate.shared.link;
      },
      warn: (event, fields) => this.log('warn', event, fields),
      step: (work) => this.step(work),
      tell: (connection, event) => this.hubTell(connection, event),
      overrun: (client, reason, now) => this.overrun(client, reason, now),
    };
  }

  private hubTell(connection: Connection, event: (events: UpstreamEvents) => void): void {
    this.events.tell(() => {
      if (!connection.isLeft) event(connection.events);
    });
  }

  private step<T>(work: () => T): T {
    return this.events.step(work);
  }

  /** CONNECT of a client; the reason if it cannot come in. */
  private enter(session: VirtualSession, { clientId, clean }: UpstreamOptions, now: Millis): string | undefined {
    if (this.shared.link === undefined) return 'upstream-lost';
    const known = this.clients.get(clientId);
    if (known?.connection !== undefined) this.cut(known, 'taken-over', true, now);
    if (clean && known?.isEnded === false) this.end(known, now);
    const present = !clean && this.clients.has(clientId);
    const client = present ? known! : this.newClient(clientId, clean, now);
    if (client === undefined) return 'sessions-max';
    this.away.delete(client);
    if (present) this.deliveries.setAway(client, false);
    client.connection = session;
    session.client = client;
    if (session.will !== undefined) this.journal.put('will', clientId, storedMessage(session.will));
    this.hubTell(session, (owner) => owner.connected(present, now));
    this.deliveries.resume(client, now);
    return undefined;
  }

  private newClient(clientId: string, clean: boolean, now: Millis): VirtualClient | undefined {
    if (this.clients.size >= this.limits.sessionsMax) {
      const [oldest] = this.away;
      if (oldest === undefined) return undefined;
      this.overrun(oldest, 'sessions-max', now);
    }
    const client = new VirtualClient(clientId, clean, this.random);
    this.clients.set(clientId, client);
    if (!clean) this.journal.put('client', clientId, { subscriptions: [] });
    return client;
  }

  private leave(client: VirtualClient, isAbort: boolean, now: Millis): void {
    this.detach(client, isAbort, now);
    this.boundOne(client, now);
    this.bound(now);
  }

  /** Ends a connection that its owner has not ended. */
  private cut(client: VirtualClient, reason: string, publishesWill: boolean, now: Millis): void {
    const { connection } = client;
    if (connection === undefined) return;
    this.detach(client, publishesWill, now);
    this.hubTell(connection, (owner) => owner.closed(reason, now));
  }

  private cutAll(reason: string, publishesWills: boolean, now: Millis): void {
    for (const client of [...this.clients.values()]) this.cut(client, reason, publishesWills, now);
  }

  /** The client's connection is over; its session too where that is clean. */
  private detach(client: VirtualClient, publishesWill: boolean, now: Millis): void {
    const session = client.connection as VirtualSession;
    client.connection = undefined;
    session.client = undefined;
    if (client.isClean) this.end(client, now);
    else {
      this.away.add(client);
      this.deliveries.setAway(client, true);
    }
    // After the session: a client does not hear its own will.
    this.settleWill(client, session.will, publishesWill, now);
  }

  private settleWill({ clientId }: VirtualClient, will: Message | undefined, isPublished: boolean, now: Millis): void {
    if (will === undefined) return;
    if (isPublished && this.shared.link === undefined) {
      this.owedWills.set(clientId, will); // and stays written
      return;
    }
    if (isPublished) this.publishes.publishWill(will, now);
    this.journal.delete('will', clientId);
  }

  /** The session of a client without a connection ends. */
  private end(client: VirtualClient, now: Millis): void {
    client.isEnded = true;
    const isAway = this.away.delete(client);
    this.clients.delete(client.clientId);
    this.filters.forget(client, now);
    this.publishes.forget(client);
    this.deliveries.forget(client, isAway, now);
    if (!client.isClean) this.journal.delete('client', client.clientId);
  }

  private overrun(client: VirtualClient, reason: string, now: Millis): void {
    if (client.isEnded) return;
    this.overruns++;
    this.log('warn', 'session-overrun', { clientId: client.clientId, reason, messages: client.outgoing.size });
    this.cut(client, 'overrun', true, now);
    if (!client.isEnded) this.end(client, now);
  }

  private boundOne(client: VirtualClient, now: Millis): void {
    if (client.connection !== undefined || client.outgoing.size <= this.limits.awayMessagesMax) return;
    this.overrun(client, 'away-messages-max', now);
  }

  /** Those who are away must not silence everybody: see above. */
  private bound(now: Millis): void {
    while (this.deliveries.held > this.limits.heldMessagesMax) {
      const holder = [...this.away].find(({ outgoing }) => [...outgoing.values()].some(({ released }) => !released));
      if (holder === undefined) return;
      this.overrun(holder, 'held-messages-max', now);
    }
  }

  private onConnected(sessionPresent: boolean, now: Millis): void {
    this.log('info', 'upstream-connected', { sessionPresent });
    const wills = this.owedWills;
    this.owedWills = new Map();
    for (const [clientId, will] of wills) {
      this.publishes.publishWill(will, now);
      this.journal.delete('will', clientId);
    }
    if (!sessionPresent) this.deliveries.forgotten();
    this.publishes.connected(now);
    this.filters.connected(sessionPresent, now);
  }

  private onLost(reason: string, now: Millis): void {
    this.log('warn', 'upstream-lost', { reason, clients: this.clients.size - this.away.size });
    this.filters.lost();
    this.publishes.lost();
    this.cutAll('upstream-lost', true, now);
  }

  /** Reads the store. True when the broker may have a session that these records speak of. */
  private restore(clientId: string): boolean {
    const records = this.journal.read();
    for (const { key, value } of records.client) {
      const client = new VirtualClient(key, false, this.random);
      this.clients.set(key, client);
      this.away.add(client);
      for (const [filter, asked, granted] of value.subscriptions) this.filters.restore(client, filter, asked, granted);
    }
    for (const { key, value } of records.delivery) this.deliveries.restore(Number(key), value.digest);
    for (const { key, value } of records.out) {
      const [as, owner] = parseClientKey(key);
      const client = this.clients.get(owner);
      const isTied = client && this.deliveries.restoreOutgoing(client, as, value.id, value.qos, value.released);
      if (!isTied) this.journal.delete('out', key);
    }
    for (const client of this.away) this.deliveries.setAway(client, true);
    for (const { key, value } of records.had) {
      const [as, owner] = parseClientKey(key);
      const client = this.clients.get(owner);
      if (client === undefined) this.journal.delete('had', key);
      else this.publishes.restoreHad(client, as, value.id, value.digest);
    }
    for (const { key, value } of records.in) {
      const [owner = '', as = 0] = value.client ?? [];
      const message = value.message && restoredMessage(value.message);
      this.publishes.restore(Number(key), this.clients.get(owner), as, message);
    }
    for (const { key, value } of records.will) this.owedWills.set(key, restoredMessage(value));
    return records.session.some(({ value }) => value.clientId === clientId);
  }
}
