import { expect, it } from 'vitest';
import { UpstreamLink } from '../../../host/gateway/upstream-link.js';
import type { UpstreamEvents, UpstreamSession } from '../../../host/ports.js';

/** A broker that says a lot while the session is being opened, and more with each acknowledgement. */
function open(events: UpstreamEvents, endsAt: number): UpstreamSession {
  let last = 3;
  const say = (id: number): void =>
    events.message({ topic: 't', payload: new Uint8Array(), qos: 1, retain: false }, id, false, 0);
  events.connected(true, 0);
  for (const id of [1, 2, 3]) say(id);
  const nothing = (): void => {};
  return {
    publish: nothing,
    release: nothing,
    complete: nothing,
    subscribe: nothing,
    unsubscribe: nothing,
    close: nothing,
    abort: nothing,
    acknowledge: () => {
      if (last === endsAt) events.closed('enough', 0);
      else say(++last);
    },
  };
}

function hear(endsAt: number): (number | string)[] {
  const heard: (number | string)[] = [];
  const link: UpstreamLink = new UpstreamLink(
    { clientId: 'a', clean: false },
    {
      connected: () => heard.push('connected'),
      message: (_message, id, _dup, now) => {
        heard.push(id);
        link.acknowledge(id, now);
      },
      released: () => {},
      closed: (reason) => heard.push(reason),
      idle: () => {},
    },
  );
  link.start({ qosMax: 2, open: (_options, events) => open(events, endsAt) }, 0);
  return heard;
}

it('tells in order what happens while it opens, and what comes of telling it', () => {
  expect(hear(7)).toEqual(['connected', 1, 2, 3, 4, 5, 6, 7, 'enough']);
});

it('tells nothing after the end', () => {
  expect(hear(3)).toEqual(['connected', 1, 2, 3, 'enough']);
});
