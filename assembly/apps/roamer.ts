// A meter that finds its gateway by itself, and another when that one is gone. Readings go out at QoS 2 and survive the change;
// orders for it come at QoS 2, too.
import { client, EventKind, text } from '../index';

const KEEP_ALIVE_S: i32 = 60;
const READING_MS: i32 = 15_000;
/** How far SEARCHGW goes: one hop. */
const RADIUS: i32 = 1;

@unmanaged
class State {
  readingAt: i32;
  sequence: i32;
  orders: i32;
  readingTopic: i32;
}

function my(): State {
  return client.state<State>();
}

export function setup(seed: i32): void {
  text.clear().add('roamer-').addHex(seed, 8);
  client.identify();
  text.clear().add('field/').addHex(seed, 8).add('/reading');
  my().readingTopic = client.topicOfText();
  text.clear().add('field/').addHex(seed, 8).add('/order');
  client.subscribe(client.topicOfText(), 2);
  my().readingAt = client.now() + <i32>(client.random() % <u32>READING_MS);
  client.discover(RADIUS);
  client.connect(KEEP_ALIVE_S, false); // the session is kept, on whichever gateway
}

export function tick(): i32 {
  for (let event = client.next(); event.kind !== EventKind.None; event = client.next()) {
    if (event.kind === EventKind.Message) my().orders++;
  }
  if (client.isTime(my().readingAt)) {
    my().readingAt += READING_MS;
    my().sequence++;
    text.clear().add('{"seq":').addInt(my().sequence).add(',"orders":').addInt(my().orders).add('}');
    client.publish(my().readingTopic, 2, false);
  }
  return my().readingAt - client.now();
}
