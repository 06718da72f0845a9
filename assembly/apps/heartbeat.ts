// A meter that says every 10 s that it is there, at QoS 0: the next one makes up for a lost one.
import { client, EventKind, text } from '../index';

const KEEP_ALIVE_S: i32 = 60;
const BEAT_MS: i32 = 10_000;

@unmanaged
class State {
  beatAt: i32;
  sequence: i32;
  beatTopic: i32;
}

function my(): State {
  return client.state<State>();
}

export function setup(seed: i32): void {
  text.clear().add('meter-').addHex(seed, 8);
  client.identify();
  text.clear().add('home/meter-').addHex(seed, 8).add('/beat');
  my().beatTopic = client.topicOfText();
  my().beatAt = client.now() + <i32>(client.random() % <u32>BEAT_MS);
  client.connect(KEEP_ALIVE_S, true);
}

export function tick(): i32 {
  while (client.next().kind !== EventKind.None) {}
  if (client.isTime(my().beatAt)) {
    my().beatAt += BEAT_MS;
    my().sequence++;
    text.clear().add('{"seq":').addInt(my().sequence).add('}');
    // A beat of the past is worth nothing: without a session it is not queued.
    if (client.isActive()) client.publish(my().beatTopic, 0, false);
  }
  return my().beatAt - client.now();
}
