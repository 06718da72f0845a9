// {{name}}: counts every 20 s and says so exactly once. It stops and goes on as it is told, and leaves a will that tells
// when it vanishes. Replace the count by what your device is about.
import { client, Event, EventKind, NEVER_MS, text } from 'thimble';

const KEEP_ALIVE_S: i32 = 60;
const COUNT_MS: i32 = 20_000;

/** All that the application remembers. It is part of the device's image, and so survives hibernation; there is no heap. */
@unmanaged
class State {
  countTopic: i32;
  statusTopic: i32;
  count: i32;
  countAt: i32;
  isPaused: i32;
}

function my(): State {
  return client.state<State>();
}

/** Called once, at power-on. `seed` tells devices of a kind apart. */
export function setup(seed: i32): void {
  text.clear().add('{{name}}-').addHex(seed, 8);
  client.identify();
  my().countTopic = topicOf(seed, '/count');
  my().statusTopic = topicOf(seed, '/status');
  client.will(my().statusTopic, 'offline', 1, true);
  client.subscribe(topicOf(seed, '/set'), 1);
  my().countAt = client.now() + COUNT_MS;
  client.connect(KEEP_ALIVE_S, false); // subscriptions and messages survive a loss
}

function topicOf(seed: i32, leaf: string): i32 {
  text.clear().add('{{name}}/').addHex(seed, 8).add(leaf);
  return client.topicOfText();
}

/** Called after everything that happens. Returns the milliseconds until it wants to be called again. */
export function tick(): i32 {
  for (let event = client.next(); event.kind !== EventKind.None; event = client.next()) {
    if (event.kind === EventKind.Connected) sayStatus();
    else if (event.kind === EventKind.Message) obey(event);
  }
  if (my().isPaused) return NEVER_MS;
  if (client.isTime(my().countAt)) {
    my().countAt = client.now() + COUNT_MS;
    my().count++;
    text.clear().add('{"count":').addInt(my().count).add('}');
    client.publish(my().countTopic, 2, false);
  }
  return my().countAt - client.now();
}

function obey(event: Event): void {
  if (client.dataBegins(event, 'pause')) my().isPaused = 1;
  else if (client.dataBegins(event, 'go on')) my().isPaused = 0;
  else return; // nothing that is known
  my().countAt = client.now() + COUNT_MS;
  sayStatus();
}

function sayStatus(): void {
  text.clear().add(my().isPaused ? 'paused' : 'counting');
  client.publish(my().statusTopic, 1, true);
}
