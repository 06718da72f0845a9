// What firmware in C does with the modules that wait for its calls: the modem, through all of its verbs, and the forwarder,
// between addresses.
import { PacketType } from '../../assembly/protocol/index.js';
import type { Millis, Qos } from '../../host/ports.js';
import { encode } from '../../host/wire/index.js';
import { type Call, Recorder } from './calls.js';
import { type DayOptions, type Publish, recordDay, type Script, type Verb } from './day.js';

const SEED = 0x2a;
const KEEP_ALIVE_S = 30;
const octetsOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const shortName = (name: string): number => (name.charCodeAt(0) << 8) | name.charCodeAt(1);

/** A verb that takes a text. */
const say = (verb: Verb, name: string, text: string): number => verb(name, [text.length], octetsOf(text));

const publish = (verb: Verb, topic: number, qos: Qos | -1, text: string, now: Millis): number =>
  verb('publish', [topic, text.length, qos, 0, now], octetsOf(text));

/** Handles are given in the order of the first naming. */
const [REPORT, ORDERS, SHORT, UNKNOWN] = [0, 1, 2, 3];
const PREDEFINED_ID = 7;

function setUp(verb: Verb, now: Millis): void {
  verb('identify', [0]); // is refused
  say(verb, 'identify', 'modem-2a');
  say(verb, 'topic', 'home/modem/report');
  say(verb, 'topic', 'home/+/set');
  verb('short', [shortName('ab')]);
  verb('predefined', [PREDEFINED_ID]);
  verb('will', [REPORT, 4, 1, 1], octetsOf('gone'));
  verb('discover', [1]);
  verb('connect', [KEEP_ALIVE_S, 1, now]);
  verb('subscribe', [ORDERS, 2]);
  verb('subscribe', [SHORT, 1]);
  verb('subscribe', [UNKNOWN, 1]); // the gateway does not know it
}

const SCRIPT: Script = [
  [2, setUp],
  [20, (verb, now) => publish(verb, REPORT, 0, 'at QoS 0', now)],
  [22, (verb, now) => publish(verb, REPORT, 1, 'at QoS 1', now)],
  [24, (verb, now) => publish(verb, REPORT, 2, 'at QoS 2', now)],
  [25, (verb) => verb('busy')],
  [26, (verb, now) => publish(verb, SHORT, 2, 'a short topic', now)],
  [27, (verb, now) => publish(verb, SHORT, -1, 'at QoS -1', now)],
  [28, (verb, now) => publish(verb, 99, 1, 'no such topic', now)],
  [29, (verb, now) => publish(verb, UNKNOWN, 1, 'a topic that the gateway does not know', now)],
  [60, (verb, now) => [1, 2, 2, 1].map((qos) => publish(verb, REPORT, qos as Qos, `one of many at QoS ${qos}`, now))],
  [100, (verb) => verb('will', [REPORT, 9, 2, 0], octetsOf('gone away'))],
  [130, (verb) => verb('will', [-1, 0, 0, 0])],
  [160, (verb, now) => verb('sleep', [40, now])],
  [185, (verb, now) => verb('wake', [now])],
  [215, (verb, now) => publish(verb, REPORT, 2, 'said asleep', now)],
  [216, (verb) => verb('link')],
  [290, (verb, now) => verb('connect', [KEEP_ALIVE_S, 0, now])],
  [320, (verb) => verb('unsubscribe', [SHORT])],
  [350, (verb, now) => verb('disconnect', [now])],
  [370, (verb, now) => publish(verb, SHORT, -1, 'without a session', now)],
  [372, (verb) => verb('link')],
  [380, (verb) => say(verb, 'forwarded', 'node')],
  [381, (verb, now) => verb('connect', [KEEP_ALIVE_S, 1, now])],
  [400, (verb, now) => publish(verb, REPORT, 2, 'in an envelope', now)],
  [440, (verb, now) => verb('disconnect', [now])],
  [460, (verb) => verb('forwarded', [0])],
  [461, (verb, now) => verb('connect', [KEEP_ALIVE_S, 0, now])],
  [530, (verb, now) => publish(verb, REPORT, 1, 'during the outage', now)],
  [531, (verb, now) => publish(verb, REPORT, 2, 'during the outage, too', now)],
];

const PUBLISHES: readonly Publish[] = ['home/modem/set', 'ab', 'home/lamp/set'].flatMap((topic, i) =>
  ([0, 1, 2] as const).map((qos) => ({ topic, qos, payload: `order ${i} at QoS ${qos}` })),
);

/** A quarter of an hour of the modem, with an outage that is longer than all its tries. */
const MODEM_DAY: DayOptions = {
  seed: SEED,
  durationMs: 900_000,
  radio: { loss: { model: 'bernoulli', lossPercent: 15 }, duplicatePercent: 8, reorderPercent: 5, delayMsMax: 300 },
  publishes: PUBLISHES,
  everyMs: 15_000,
  outage: { fromMs: 520_000, toMs: 605_000 },
  script: SCRIPT,
};

const GATEWAY = Uint8Array.of(10, 0, 0, 1, 0x07, 0x5b);
const NODE = Uint8Array.of(10, 0, 0, 42, 0x13, 0x88);
const NOBODY = new Uint8Array();
/** More octets than any address has. */
const TOO_LONG_BYTES = 200;
const CONNECT = encode({
  type: PacketType.Connect,
  will: false,
  cleanSession: true,
  protocolId: 1,
  duration: 60,
  clientId: 'node',
});
const PING = Uint8Array.of(2, PacketType.PingReq);
const SEARCH = Uint8Array.of(3, PacketType.SearchGw, 2);

const wrapped = (id: Uint8Array, radius: number, inner: Uint8Array): Uint8Array =>
  encode({ type: PacketType.Forwarded, ctrl: radius, wirelessNodeId: id, inner });

/** What a forwarder hears, and from whom, once it knows its gateway. */
const HEARD: readonly (readonly [datagram: Uint8Array, from: Uint8Array])[] = [
  [CONNECT, NODE],
  [PING, NODE],
  [SEARCH, NODE],
  [wrapped(NODE, 0, Uint8Array.of(3, PacketType.ConnAck, 0)), GATEWAY],
  [wrapped(NODE, 1, PING), GATEWAY], // for everyone in reach
  [wrapped(NODE, 0, PING), NODE], // of another forwarder
  [PING, GATEWAY], // for nobody
  [PING, NOBODY],
  [Uint8Array.of(9, 0x18, 1), NODE], // noise
  [new Uint8Array(255).fill(7), NODE],
];

function recordForwarder(wasm: Uint8Array): Call[] {
  const recorder = new Recorder(wasm);
  let now = 0;
  const receive = (datagram: Uint8Array, from: Uint8Array): void => {
    now += 100;
    recorder.call({ kind: 'receive', now, datagram, from });
    recorder.call({ kind: 'poll', now });
  };
  const gateway = (bytes: number, octets: Uint8Array): Call =>
    recorder.call({ kind: 'verb', now, name: 'gateway', args: [bytes], octets });
  recorder.call({ kind: 'start', now, seed: SEED });
  receive(CONNECT, NODE); // nobody to send it to
  gateway(0, NOBODY);
  gateway(TOO_LONG_BYTES, NOBODY);
  gateway(GATEWAY.length, GATEWAY);
  for (const [datagram, from] of HEARD) receive(datagram, from);
  return recorder.calls;
}

/** By module, those that do nothing by themselves. */
export const MODEM_PLAYS: Readonly<Record<string, (wasm: Uint8Array) => Call[]>> = {
  'modem-mqttsn': (wasm) => recordDay(wasm, MODEM_DAY),
  forwarder: recordForwarder,
};
