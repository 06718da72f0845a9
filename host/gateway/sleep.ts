// DISCONNECT and PINGREQ: signs of life, going to sleep, waking for messages (6.11, 6.12, 6.14).
import { PacketType } from '../../assembly/protocol/index.js';
import type { Millis } from '../ports.js';
import type { Core } from './core.js';
import type { Peer } from './peer.js';
import type { ClientSession } from './session.js';
import { SessionState } from './session.js';
import type { Sessions } from './sessions.js';

const MS_PER_S = 1_000;

export class Sleep {
  constructor(
    private readonly core: Core,
    private readonly sessions: Sessions,
  ) {}

  /** `duration` in seconds; a sleep of 0 s has no end that could be supervised, and counts as goodbye. */
  onDisconnect(session: ClientSession, duration: number | undefined, now: Millis): void {
    if (duration === undefined || duration === 0) {
      this.sessions.disconnect(session, now);
      return;
    }
    // Also from a client that is asleep already: it has another duration from now on.
    session.sleepMs = duration * MS_PER_S;
    this.sessions.fallAsleep(session, now);
    session.send({ type: PacketType.Disconnect, duration: undefined });
  }

  /** A PINGREQ with a client id; false when no such client is connected. Its address may be new. */
  onNamedPing(peer: Peer, clientId: string, now: Millis): boolean {
    const session = this.sessions.find(clientId);
    if (session === undefined || session.state === SessionState.Offline) return false;
    if (session.state === SessionState.Connecting) {
      this.core.counters.unexpected++;
      return true;
    }
    if (session.peer?.key !== peer.key) {
      const other = this.sessions.at(peer);
      this.sessions.move(session, peer);
      // After the move: the other one's will may be for this client.
      if (other !== undefined) this.sessions.lose(other, 'address-taken', now);
      session.save(); // or after a restart whoever is at the old address would speak in this client's name
    }
    session.lastHeard = now;
    this.sessions.wake(session, now);
    // An active client whose sleep is not forgotten was woken by a CONNECT that was perhaps only a late copy (`mayBeCopy`
    // in sessions.ts): it still believes itself asleep, as the client id shows.
    if (session.state === SessionState.Active && session.sleepMs > 0) this.sessions.fallAsleep(session, now);
    this.onPing(session, now);
    this.sessions.heard(session, now);
    return true;
  }

  onPing(session: ClientSession, now: Millis): void {
    if (session.state === SessionState.Active) {
      session.send({ type: PacketType.PingResp });
    } else if (session.state === SessionState.Asleep) {
      session.state = SessionState.Awake;
      // PINGRESP comes when nothing is left (`drained`), at once if nothing waits.
      session.delivery.resume(now);
    }
    // Awake: sent again because the client has not heard from us; what it waits for is on its way with retries of its own.
  }
}
