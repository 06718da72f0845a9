// A million packets of clients of all versions that come, say right and wrong things, stop reading, vanish and take each other's
// sessions, all seeded. Whatever they do: nothing throws, everything stays within its bound, every message of a bystander comes
// at once and in order, and when they are gone everything is as it was.
//
// A failure names the seed and the packet; FUZZ_SEED and FUZZ_PACKETS repeat or extend a run.
import { describe, expect, it } from 'vitest';
import type { Access, Permit, Verdict } from '../../host/broker/access.js';
import type { BrokerConfig } from '../../host/broker/config.js';
import type { Level } from '../../host/broker/packets.js';
import { ReasonCode } from '../../host/broker/reason-codes.js';
import { PacketStream } from '../../host/broker/stream.js';
import { between, Xoshiro128 } from '../../host/core/random.js';
import { Arena, times } from './arena.js';
import { Conversations } from './mutations.js';

const SEED = Number(process.env.FUZZ_SEED ?? 1);
const PACKETS = Number(process.env.FUZZ_PACKETS ?? 1_000_000);
const ATTACKERS = 40;
/** Between two looks at the bounds, and between two moments. */
const CHECK_PACKETS = 1_000;
const TICK_PACKETS = 25;
const TICK_MS_MAX = 500;
const BYSTANDERS = 4;
/** Half a minute on an idle machine. */
const TIME_MS_MAX = 600_000;

const LIMITS = {
  connectionsMax: 44,
  sessionsMax: 80,
  subscriptionsPerSessionMax: 12,
  subscriptionBytesPerSessionMax: 8_000,
  retainedMessagesMax: 12,
  retainedBytesMax: 8_000,
  queueMessagesMax: 20,
  queueBytesMax: 10_000,
  inflightMax: 10,
  receiveMax: 10,
  topicAliasMax: 5,
  topicLevelsMax: 10,
  packetBytesMax: 4_096,
  connectTimeoutMs: 1_000,
  keepAliveSMax: 60,
  offlineSessionMsMax: 60_000,
} satisfies Partial<BrokerConfig>;

const PERMIT: Permit = {
  publish: (topic) => topic !== 'forbidden',
  subscribe: (filter) => filter !== 'forbidden',
  receive: (topic) => topic !== 'c/3',
};
const ACCEPTED: Verdict = { outcome: 'accepted', permit: PERMIT, refreshAfterMs: 5_000 };

/** Some are not let in, some wait for ever, and some are asked a question first. */
const ACCESS: Access = {
  connect({ clientId, packet }, answer, now) {
    if (clientId.endsWith('8')) answer({ outcome: 'refused', reason: ReasonCode.NotAuthorized }, now);
    else if (packet.properties?.authenticationMethod !== undefined) {
      answer({ outcome: 'continue', next: (_, again) => again(ACCEPTED, now) }, now);
    } else if (!clientId.endsWith('17')) answer(ACCEPTED, now);
  },
};

class Crowd {
  readonly retained = new Set<string>();
  readonly world: Arena;
  private readonly random = new Xoshiro128(SEED);
  private readonly conversations = new Conversations(this.random);
  private readonly members = times(ATTACKERS, () => new Member());

  constructor() {
    const published = ({ topic, retain }: { topic: string; retain: boolean }): void => {
      if (retain) this.retained.add(topic);
    };
    this.world = new Arena({ ...LIMITS, access: ACCESS }, { published });
  }

  step(): void {
    const { conversations, random, world } = this;
    const index = between(random, 0, ATTACKERS - 1);
    const member = this.members[index]!;
    const level = (3 + (index % 3)) as Level;
    if (member.stream === undefined) {
      member.join(world);
      member.stream!.receive(conversations.connect(level), world.now);
      return;
    }
    if (conversations.chance(300)) member.leave(world);
    else if (conversations.chance(50)) member.isCongested = !member.isCongested;
    else {
      if (!member.isCongested) member.stream.drained(world.now);
      member.stream.receive(conversations.next(level), world.now);
    }
  }

  check(): void {
    const { counters, broker } = this.world;
    const open = this.members.filter(({ stream }) => stream !== undefined).length;
    expect(counters.connectionsNow).toBe(open + BYSTANDERS);
    expect(counters.connectionsNow).toBeLessThanOrEqual(LIMITS.connectionsMax);
    expect(counters.sessionsNow).toBeLessThanOrEqual(LIMITS.sessionsMax);
    expect(counters.retainedNow).toBeLessThanOrEqual(LIMITS.retainedMessagesMax);
    const clients = broker.clients();
    expect(clients).toHaveLength(counters.sessionsNow);
    expect(clients.reduce((sum, { subscriptions }) => sum + subscriptions.length, 0)).toBe(counters.subscriptionsNow);
    for (const { subscriptions, queued, inflight } of clients) {
      expect(subscriptions.length).toBeLessThanOrEqual(LIMITS.subscriptionsPerSessionMax);
      expect(inflight).toBeLessThanOrEqual(LIMITS.inflightMax);
      expect(queued).toBeLessThanOrEqual(LIMITS.queueMessagesMax + LIMITS.inflightMax); // those to be sent again too
    }
    this.world.bystandersAreWell();
  }

  leave(): void {
    for (const member of this.members) if (member.stream !== undefined) member.leave(this.world);
  }

  tick(): void {
    this.world.pass(between(this.random, 1, TICK_MS_MAX));
  }
}

class Member {
  stream: PacketStream | undefined;
  isCongested = false;

  join({ broker, now }: Arena): void {
    this.isCongested = false;
    const sink = {
      write: (): void => {},
      close: (): void => {
        this.stream = undefined;
      },
      isCongested: (): boolean => this.isCongested,
    };
    this.stream = new PacketStream(broker, sink, now);
  }

  leave({ now }: Arena): void {
    this.stream?.closed(now);
    this.stream = undefined;
  }
}

describe('a broker among clients that do what they like', () => {
  it(
    `stands ${PACKETS} packets, within its bounds, and nobody else notices`,
    () => {
      const crowd = new Crowd();
      const { world } = crowd;
      for (let i = 1; i <= PACKETS; i++) {
        try {
          crowd.step();
          if (i % TICK_PACKETS === 0) crowd.tick();
          if (i % CHECK_PACKETS === 0) crowd.check();
        } catch (error) {
          const repeat = `FUZZ_SEED=${SEED} FUZZ_PACKETS=${PACKETS} npx vitest run test/abuse/conversations.test.ts`;
          throw new Error(`seed ${SEED}, packet ${i}: ${(error as Error).message}\n  ${repeat}`, { cause: error });
        }
      }
      const { counters } = world;
      if (process.env.FUZZ_SHOW !== undefined) console.log(counters);
      // The run says something only as long as all this happens in it.
      const seldom = [
        'redelivered',
        'sessionsTakenOver',
        'sessionsResumed',
        'sessionsExpired',
        'keepAliveTimeouts',
      ] as const;
      const drops = ['droppedOffline', 'droppedSlow', 'droppedQueueFull', 'droppedExpired', 'droppedTooLarge'] as const;
      const denials = ['droppedDenied', 'droppedNotReceivable', 'subscriptionsDenied', 'connectionsDenied'] as const;
      const others = [
        'retainRefused',
        'willsPublished',
        'violations',
        'malformed',
        'duplicatesIn',
        'droppedTooDeep',
      ] as const;
      for (const name of [...seldom, ...drops, ...denials, ...others, 'connectTimeouts'] as const) {
        expect(counters[name], name).toBeGreaterThan(PACKETS / 20_000);
      }

      crowd.leave();
      for (let passedMs = 0; passedMs < 2 * LIMITS.offlineSessionMsMax; passedMs += 30_000) {
        world.pass(30_000);
        world.bystandersAreWell();
      }
      for (const topic of crowd.retained) {
        world.broker.publish({ topic, payload: new Uint8Array(0), qos: 0, retain: true }, world.now);
      }
      const left = {
        connectionsNow: BYSTANDERS,
        sessionsNow: BYSTANDERS,
        subscriptionsNow: BYSTANDERS - 1,
        retainedNow: 0,
      };
      expect(counters).toMatchObject(left);
      for (const { queued, inflight } of world.broker.clients()) expect([queued, inflight]).toEqual([0, 0]);
      // And no byte of what was retained is still counted.
      const whole = new Uint8Array(LIMITS.retainedBytesMax - 1);
      world.broker.publish({ topic: 'r', payload: whole, qos: 0, retain: true }, world.now);
      expect(counters.retainedNow).toBe(1);
      world.bystandersAreWell();
    },
    TIME_MS_MAX,
  );
});
