// A device that talks all the time, for tests of the promises: messages at QoS 1 and 2 to two topics each, with a sequence
// number in each, and subscriptions at both QoS. Every second one goes to sleep now and then.
import { client, EventKind, text } from 'thimble';

const TALK_MS: i32 = 15_000;
const SLEEP_S: i32 = 60;
const KEEP_ALIVE_S: i32 = 60;
const TOPICS: i32 = 4;

@unmanaged
class State {
  talkAt: i32;
  sequence: i32;
  seed: i32;
  first: i32;
}

function my(): State {
  return client.state<State>();
}

export function setup(seed: i32): void {
  my().seed = seed;
  text.clear().add('talker-').addHex(seed, 8);
  client.identify();
  for (let i = 0; i < TOPICS; i++) {
    const handle = topicOf('/out', i);
    if (i === 0) my().first = handle;
  }
  client.subscribe(topicOf('/in', 1), 1);
  client.subscribe(topicOf('/in', 2), 2);
  my().talkAt = client.now() + TALK_MS;
  client.connect(KEEP_ALIVE_S, false);
}

function topicOf(leaf: string, number: i32): i32 {
  text.clear().add('talk/').addHex(my().seed, 8).add(leaf).addInt(number);
  return client.topicOfText();
}

export function tick(): i32 {
  const s = my();
  while (client.next().kind !== EventKind.None) {}
  if (client.isTime(s.talkAt)) {
    s.talkAt += TALK_MS;
    s.sequence++;
    text.clear().add('message ').addInt(s.sequence);
    const which = s.sequence % TOPICS;
    client.publish(s.first + which, which & 1 ? 1 : 2, false);
    if (client.isAsleep()) client.connect(KEEP_ALIVE_S, false);
  }
  const sleeps = (s.seed & 1) === 1 && s.sequence % 8 === 0;
  if (sleeps && client.isActive() && !client.isBusy()) client.sleep(SLEEP_S);
  return s.talkAt - client.now();
}
