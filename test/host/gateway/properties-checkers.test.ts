// The checkers of the random runs can fail: stories that no gateway may tell, and the good ones next to them.
import { describe, expect, it } from 'vitest';
import { PacketType, PROTOCOL_ID, ReturnCode, TopicType } from '../../../assembly/protocol/index.js';
import { gatewayConfig } from '../../../host/gateway/config.js';
import type { GatewayGauges } from '../../../host/gateway/gauges.js';
import type { Message } from '../../../host/ports.js';
import type { Packet } from '../../../host/wire/index.js';
import { AnswersChecker } from './arbitrary-check-answers.js';
import { BoundsChecker } from './arbitrary-check-bounds.js';
import { LegalChecker } from './arbitrary-check-legal.js';
import { OutstandingChecker } from './arbitrary-check-outstanding.js';
import { UpstreamChecker } from './arbitrary-check-upstream.js';
import { Clients } from './arbitrary-clients.js';
import type { Call, Checker, Event, News, Upper } from './arbitrary-events.js';
import { Violation } from './arbitrary-events.js';
import { bytes, puback } from './world.js';

const PLACE = 'x';
const LIMITS = gatewayConfig({ bufferMessagesMax: 2 });
const UPPER: Upper = { number: 1, options: { clientId: 'a', clean: false } };

const hears = (packet: Packet): Event => ({ what: 'in', place: PLACE, packet });
const says = (packet: Packet, place = PLACE): Event => ({ what: 'out', place, packet, octets: 10 });
const calls = (call: Call): Event => ({ what: 'call', on: UPPER, call });
const brings = (news: News): Event => ({ what: 'news', on: UPPER, news });

/** Every story begins with a client that is connected and has subscribed to a topic, which has the id 7. */
const BEGIN: readonly Event[] = [
  hears({
    type: PacketType.Connect,
    will: false,
    cleanSession: false,
    protocolId: PROTOCOL_ID,
    duration: 60,
    clientId: 'a',
  }),
  calls({ call: 'open' }),
  brings({ news: 'connected', present: false }),
  says({ type: PacketType.ConnAck, returnCode: ReturnCode.Accepted }),
  hears({
    type: PacketType.Subscribe,
    dup: false,
    qos: 2,
    msgId: 1,
    topic: { kind: TopicType.Normal, name: 't' },
  }),
  calls({ call: 'subscribe', filter: 't', qos: 2 }),
  says({ type: PacketType.SubAck, qos: 2, topicId: 7, msgId: 1, returnCode: ReturnCode.Accepted }),
];

const message = (tag: string): Message => ({ topic: 't', payload: bytes(tag), qos: 1, retain: false });
const comes = (tag: string, id: number): Event => brings({ news: 'message', message: message(tag), id, dup: false });
const publish = (tag: string, msgId: number, topicId = 7, dup = false): Extract<Packet, { data: Uint8Array }> => ({
  type: PacketType.Publish,
  dup,
  qos: 1,
  retain: false,
  topic: { kind: TopicType.Normal, id: topicId },
  msgId,
  data: bytes(tag),
});
const takes = (tag: string, msgId: number): Event => hears(puback(publish(tag, msgId)));
const acknowledges = (id: number): Event => calls({ call: 'acknowledge', id });

/** Two SUBSCRIBEs with one MsgId, while the broker is slow. */
const FILTERS = ['one', 'two'] as const;
const asksTwice: readonly Event[] = FILTERS.flatMap((name) => [
  hears({ type: PacketType.Subscribe, dup: false, qos: 1, msgId: 2, topic: { kind: TopicType.Normal, name } }),
  calls({ call: 'subscribe', filter: name, qos: 1 }),
]);
const answers = (filter: string, topicId: number): readonly Event[] => [
  brings({
    news: 'answer',
    request: { call: 'subscribe', filter, qos: 1 },
    outcome: topicId === 0 ? 'refused' : 1,
  }),
  says({
    type: PacketType.SubAck,
    qos: topicId === 0 ? 0 : 1,
    topicId,
    msgId: 2,
    returnCode: topicId === 0 ? ReturnCode.NotSupported : ReturnCode.Accepted,
  }),
];
const brings1 = (topic: string): Event =>
  brings({ news: 'message', message: { ...message('m1'), topic }, id: 1, dup: false });
const register = (msgId: number): Event =>
  says({ type: PacketType.Register, topicId: 8, msgId, topicName: `long/${msgId}` });

/** Tells a story to all checkers, as a run does. */
function tell(story: readonly Event[]): void {
  const clients = new Clients();
  const checkers: readonly Checker[] = [
    new LegalChecker(clients, LIMITS),
    new BoundsChecker(LIMITS),
    new OutstandingChecker(clients, LIMITS),
    new AnswersChecker(clients),
    new UpstreamChecker(clients, LIMITS),
  ];
  for (const event of [...BEGIN, ...story]) {
    if (event.what !== 'out') clients.see(event);
    for (const checker of checkers) checker.see(event);
    if (event.what === 'out') clients.see(event);
  }
}

const GAUGES = { active: 1, bufferedMessages: 2 } as GatewayGauges;
const state = (gauges: Partial<GatewayGauges>): Event => ({
  what: 'state',
  gauges: { ...GAUGES, ...gauges },
  sessions: 1,
  records: 1,
});
const sleeps: readonly Event[] = [
  hears({ type: PacketType.Disconnect, duration: 60 }),
  says({ type: PacketType.Disconnect, duration: undefined }),
];

describe('the checkers', () => {
  it.each<[string, readonly Event[]]>([
    [
      'one message after the other',
      [
        comes('m1', 1),
        comes('m2', 2),
        says(publish('m1', 1)),
        says(publish('m1', 1, 7, true)),
        takes('m1', 1),
        acknowledges(1),
        says(publish('m2', 2)),
        takes('m2', 2),
        acknowledges(2),
        state({}),
      ],
    ],
    [
      'a sleeper that is left alone until it pings',
      [
        ...sleeps,
        comes('m1', 1),
        hears({ type: PacketType.PingReq, clientId: 'a' }),
        says(publish('m1', 1)),
        takes('m1', 1),
        acknowledges(1),
        says({ type: PacketType.PingResp }),
      ],
    ],
    [
      'two requests of one MsgId, each with its answer',
      [...asksTwice, ...answers('one', 0), ...answers('two', 9), brings1('two'), says(publish('m1', 1, 9))],
    ],
  ])('accept %s', (_story, story) => expect(() => tell(story)).not.toThrow());

  it.each<[string, RegExp, readonly Event[]]>([
    ['a packet that only clients send', /no gateway sends/, [says({ type: PacketType.SearchGw, radius: 1 })]],
    ['a PUBLISH to a sleeper', /asleep/, [...sleeps, comes('m1', 1), says(publish('m1', 1))]],
    ['a PUBLISH to nobody', /nobody/, [comes('m1', 1), says(publish('m1', 1), 'elsewhere')]],
    ['DISCONNECT with a duration', /field/, [says({ type: PacketType.Disconnect, duration: 9 })]],
    ['more messages than there is room for', /more than 2/, [state({ bufferedMessages: 3 })]],
    [
      'two at a time',
      /not acknowledged/,
      [comes('m1', 1), comes('m2', 2), says(publish('m1', 1)), says(publish('m2', 2))],
    ],
    [
      'one that overtakes another',
      /overtaken/,
      [comes('m1', 1), comes('m2', 2), says(publish('m2', 2)), takes('m2', 2), says(publish('m1', 1))],
    ],
    ['an id that the client was not told', /never told/, [comes('m1', 1), says(publish('m1', 1, 8))]],
    [
      'the id of one topic for another that was asked for under the same MsgId',
      /means two, and says one/,
      [...asksTwice, ...answers('one', 9), ...answers('two', 10), brings1('two'), says(publish('m1', 1, 9))],
    ],
    [
      'the same answer twice to two requests of one MsgId',
      /answers nothing/,
      [...asksTwice, ...answers('one', 0), ...answers('two', 9), ...answers('two', 9)],
    ],
    [
      'a second REGISTER, also after the session with the broker was opened anew',
      /second REGISTER/,
      [register(1), calls({ call: 'close' }), calls({ call: 'open' }), register(2)],
    ],
    ['a retransmission without DUP', /DUP/, [comes('m1', 1), says(publish('m1', 1)), says(publish('m1', 1))]],
    ['an answer to nothing', /answers nothing/, [says({ type: PacketType.PingResp })]],
    [
      'an answer too many',
      /answers nothing/,
      [says({ type: PacketType.SubAck, qos: 2, topicId: 7, msgId: 1, returnCode: ReturnCode.Accepted })],
    ],
    [
      'an acknowledgement in the name of a client that has said nothing',
      /the client has not/,
      [comes('m1', 1), acknowledges(1)],
    ],
    ['an acknowledgement of what was not delivered', /not delivered/, [acknowledges(5)]],
    ['PUBCOMP without PUBREL', /not released/, [calls({ call: 'complete', id: 1 })]],
    [
      'a publish that no client made',
      /no client published/,
      [calls({ call: 'publish', message: message('u1'), id: 4, dup: false })],
    ],
    [
      'words on a session that is over',
      /over/,
      [brings({ news: 'closed' }), calls({ call: 'subscribe', filter: 't', qos: 1 })],
    ],
  ])('reject %s', (_story, rule, story) => {
    expect(() => tell(story)).toThrow(Violation);
    expect(() => tell(story)).toThrow(rule);
  });
});
