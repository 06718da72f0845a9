// What an authorization still wants of a connection that it has let in: to be asked again after a while, to end it at its
// time, and to authenticate it anew when the client asks for that (MQTT 5.0, 4.12.1).
import type { Timer } from '../core/timer-queue.js';
import type { Millis } from '../ports.js';
import type { Accepted, Access, ConnectRequest, Refused, Verdict } from './access.js';
import { authenticationOf } from './connecting.js';
import { Dialogue } from './dialogue.js';
import type { Open } from './exchange.js';
import type { AuthPacket, ConnectPacket } from './packets.js';
import { ReasonCode } from './reason-codes.js';
import type { Due } from './session.js';
import type { Violation } from './violations.js';

const OTHER_METHOD: Violation = { clause: 'MQTT-4.12.1-1', reason: ReasonCode.ProtocolError };
const NO_CHALLENGE: Violation = { clause: 'MQTT-4.12.0-2', reason: ReasonCode.ProtocolError };

export class Leash {
  private readonly request: Omit<ConnectRequest, 'why'>;
  private readonly refreshing: Dialogue;
  private readonly renewing: Dialogue;
  private refreshTimer: Timer<Due> | undefined;
  private limitTimer: Timer<Due> | undefined;
  private limitAt = Number.POSITIVE_INFINITY;

  constructor(
    private readonly open: Open,
    access: Access,
    packet: ConnectPacket,
    verdict: Accepted,
    now: Millis,
  ) {
    const { state, client } = open;
    const { will: _, ...without } = packet; // it is kept elsewhere
    this.request = { packet: without, clientId: client.clientId, peer: client.peer };
    this.refreshing = new Dialogue(state, access, (answer, at) => this.judge(answer, false, at));
    this.renewing = new Dialogue(state, access, (answer, at) => this.judge(answer, true, at));
    this.arm(verdict, now);
  }

  /** AUTH on an open connection. */
  take({ reasonCode, properties = {} }: AuthPacket, now: Millis): void {
    const { packet } = this.request;
    const method = packet.properties?.authenticationMethod;
    if (method === undefined || properties.authenticationMethod !== method) {
      this.open.connection.violate(OTHER_METHOD, now);
      return;
    }
    const data = properties.authenticationData;
    if (reasonCode === ReasonCode.ReAuthenticate) {
      const { authenticationData: _, ...others } = packet.properties ?? {};
      const renewed = { ...packet, properties: { ...others, ...(data && { authenticationData: data }) } };
      this.renewing.ask({ ...this.request, packet: renewed, why: 'reauthenticate' }, now);
    } else if (!this.renewing.goOn(data)) this.open.connection.violate(NO_CHALLENGE, now);
  }

  /** The connection is over. */
  end(): void {
    this.refreshing.end();
    this.renewing.end();
    this.disarm();
  }

  private judge(verdict: Verdict, isAsked: boolean, now: Millis): void {
    const { open } = this;
    const { connection, client, state } = open;
    // One connection belongs to one principal: another one's permissions do not go with this session.
    if (verdict.outcome === 'accepted' && verdict.principal === client.principal) {
      open.permit = verdict.permit;
      // Who authenticates himself anew begins anew; who is only asked after may not stay longer for it.
      if (isAsked) this.limitAt = Number.POSITIVE_INFINITY;
      this.arm(verdict, now);
      if (isAsked) this.answer(ReasonCode.Success, verdict.authenticationData, now);
    } else if (verdict.outcome === 'continue' && isAsked) {
      this.answer(ReasonCode.ContinueAuthentication, verdict.authenticationData, now);
    } else {
      const { reason, reasonString, serverReference }: Partial<Refused> = verdict.outcome === 'refused' ? verdict : {};
      const code = reason ?? ReasonCode.NotAuthorized;
      const properties = { ...(reasonString && { reasonString }), ...(serverReference && { serverReference }) };
      state.log('warn', 'authorization-ended', { clientId: client.clientId, reasonCode: code });
      connection.end('not-authorized', now, code, properties);
    }
  }

  private answer(reasonCode: ReasonCode, data: Uint8Array | undefined, now: Millis): void {
    this.open.connection.send(
      { cmd: 'auth', reasonCode, properties: authenticationOf(this.request.packet, data) },
      now,
    );
  }

  private arm({ refreshAfterMs, disconnectAfterMs }: Accepted, now: Millis): void {
    const { timers } = this.open.state;
    this.disarm();
    if (refreshAfterMs !== undefined) {
      this.refreshTimer = timers.set(now + refreshAfterMs, { due: (at) => this.refresh(at) });
    }
    this.limitAt = Math.min(this.limitAt, now + (disconnectAfterMs ?? Number.POSITIVE_INFINITY));
    if (this.limitAt !== Number.POSITIVE_INFINITY) {
      const due = (at: Millis): void => this.open.connection.end('time-limit', at);
      this.limitTimer = timers.set(this.limitAt, { due });
    }
  }

  /** The same question again. Without an answer in time the client is not let in any longer. */
  private refresh(now: Millis): void {
    const { connection, state } = this.open;
    const { connectTimeoutMs } = state.config;
    if (connectTimeoutMs !== Number.POSITIVE_INFINITY) {
      const due = (at: Millis): void => connection.end('not-authorized', at);
      this.refreshTimer = state.timers.set(now + connectTimeoutMs, { due });
    }
    this.refreshing.ask({ ...this.request, why: 'refresh' }, now);
  }

  private disarm(): void {
    const { timers } = this.open.state;
    for (const timer of [this.refreshTimer, this.limitTimer]) if (timer !== undefined) timers.cancel(timer);
    this.refreshTimer = undefined;
    this.limitTimer = undefined;
  }
}
