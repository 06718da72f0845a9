// Invariant 6: nothing is owed for ever. After whatever has happened, everybody behaves and time goes on: then every message
// is with its client or counted as dropped, and a sleeper that wakes gets all of it, and PINGRESP last.
import { PacketType, ReturnCode } from '../../../assembly/protocol/index.js';
import type { Packet } from '../../../host/wire/index.js';
import type { Place } from './arbitrary-events.js';
import { show } from './arbitrary-events.js';
import type { Play } from './arbitrary-play.js';
import { CLIENTS, MINUTE, PLACES, TOPICS } from './arbitrary-steps.js';
import { puback } from './world.js';

const STEP_MS = 11_000;
const STEPS = 12;
const SHORT_MS = 1_000;
const SLEEP_S = 600;

/** Who is where in the end. */
type Homes = readonly (readonly [Place, string])[];

const ALL_HOMES: Homes = [
  [PLACES[0]!, CLIENTS[0]],
  [PLACES[1]!, CLIENTS[1]],
  [PLACES[2]!, CLIENTS[2]],
];

export function settle(play: Play): void {
  const homes = ALL_HOMES.slice(0, play.gateway.config.sessionsMax);
  play.step('the broker is well again', () => {
    const { scripted } = play;
    if (scripted === undefined) return;
    Object.assign(scripted, {
      holds: false,
      holdsConnect: false,
      refuses: false,
      refusesConnect: false,
      isDown: false,
    });
    scripted.letGo(play.now);
  });
  behave(play, MINUTE / STEP_MS);
  play.step('everybody says goodbye', () => {
    for (const place of PLACES) play.say(place, { type: PacketType.Disconnect, duration: undefined });
  });
  behave(play, 1);
  for (const { id, clean } of [...play.clients.all()])
    if (!clean && homes.every(([, other]) => other !== id)) visit(play, id);
  play.step('clients connect', () => {
    for (const [place, id] of homes) play.connect(place, id, play.clients.get(id).clean);
  });
  behave(play, STEPS);
  checkNothingWaits(play, homes.length);
  checkBroker(play, homes);
  for (const [place, id] of homes) {
    if (play.scripted !== undefined) refuseForNow(play, place, id);
    checkNothingWaits(play, homes.length);
    sleepAndWake(play, place, id);
    checkNothingWaits(play, homes.length);
  }
}

/** Who is not at home in the end takes what waits for it, and leaves. */
function visit(play: Play, clientId: string): void {
  const place = PLACES[3]!;
  play.step(`${clientId} visits`, () => play.connect(place, clientId, false));
  behave(play, STEPS);
  play.step(`${clientId} leaves`, () => play.say(place, { type: PacketType.Disconnect, duration: undefined }));
}

/** Time goes by, and all that is asked is done. */
function behave(play: Play, steps: number): void {
  for (let i = 0; i < steps; i++) {
    play.step('everybody behaves', () => {
      for (const place of PLACES) play.answerAll(place);
      play.pass(STEP_MS);
      for (const place of PLACES) play.answerAll(place);
    });
  }
}

function checkNothingWaits(play: Play, clients: number): void {
  const { active, asleep, awake, connecting, stalled, bufferedMessages, inflight } = play.gateway.gauges();
  const wrong = { asleep, awake, connecting, stalled, bufferedMessages, inflight };
  if (active !== clients || Object.values(wrong).some((count) => count > 0)) {
    play.fail(`in the end, ${active} are active and there remain: ${show(wrong)}`);
  }
}

/** What the broker still holds it holds for who is away. */
function checkBroker(play: Play, homes: Homes): void {
  for (const [, id] of homes) {
    const held = play.scripted?.heldFor(id) ?? [];
    if (held.length > 0) play.fail(`in the end, the broker holds for ${id}: ${show(held)}`);
  }
}

/** "Congestion" ends by itself (6.6). */
function refuseForNow(play: Play, place: Place, clientId: string): void {
  play.step(`${clientId} has no room`, () => {
    play.deliver(clientId, TOPICS[1], 1, 1);
    for (const packet of play.hear(place)) {
      if (packet.type === PacketType.Publish) play.say(place, puback(packet, ReturnCode.Congestion));
    }
    play.pass(play.gateway.config.tWaitMs);
    play.answerAll(place);
  });
}

function sleepAndWake(play: Play, place: Place, clientId: string): void {
  play.step(`${clientId} sleeps`, () => play.say(place, { type: PacketType.Disconnect, duration: SLEEP_S }));
  play.hear(place);
  play.step('messages come', () => {
    for (const qos of [1, 0, 2] as const) play.deliver(clientId, TOPICS[1], qos, 1);
    play.pass(SHORT_MS); // the others will answer
  });
  const asleep = play.hear(place);
  if (asleep.length > 0) play.fail(`${clientId} is disturbed in its sleep by ${show(asleep)}`);
  let heard: Packet[] = [];
  play.step(`${clientId} wakes`, () => {
    play.say(place, { type: PacketType.PingReq, clientId });
    heard = play.answerAll(place);
  });
  const types = heard.map(({ type }) => type);
  if (types.indexOf(PacketType.PingResp) !== types.length - 1) play.fail(`PINGRESP is not the last: ${show(heard)}`);
  const isServed = play.scripted === undefined || types.filter((type) => type === PacketType.Publish).length === 3;
  if (!isServed) play.fail(`${clientId} does not get what came: ${show(heard)}`);
  play.step(`${clientId} is back`, () => play.connect(place, clientId, play.clients.get(clientId).clean));
  behave(play, 1);
}
