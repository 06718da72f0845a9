// A tag that only shouts: QoS -1 to the predefined topic 1, without a connection and without an answer (6.8).
import { client, NEVER_MS, text } from '../index';

const BEACON_TOPIC_ID: i32 = 1;
const SHOUT_MS: i32 = 15_000;

@unmanaged
class State {
  shoutAt: i32;
  sequence: i32;
  seed: i32;
  topic: i32;
}

function my(): State {
  return client.state<State>();
}

export function setup(seed: i32): void {
  my().seed = seed;
  my().topic = client.predefined(BEACON_TOPIC_ID);
  my().shoutAt = client.now() + <i32>(client.random() % <u32>SHOUT_MS);
}

export function tick(): i32 {
  if (my().topic < 0) return NEVER_MS;
  if (client.isTime(my().shoutAt)) {
    my().shoutAt += SHOUT_MS;
    my().sequence++;
    text.clear().add('{"tag":"').addHex(my().seed, 8).add('","seq":').addInt(my().sequence).add('}');
    client.publish(my().topic, -1, false);
  }
  return my().shoutAt - client.now();
}
