// Says one thing, exactly once, as soon as it has connected; and hears what it is told, on predefined topics.
import { client, EventKind, text } from 'thimble';

const KEEP_ALIVE_S: i32 = 60;
const SAYS: i32 = 1;
const HEARS: i32 = 2;

@unmanaged
class State {
  said: i32;
}

function my(): State {
  return client.state<State>();
}

export function setup(seed: i32): void {
  text.clear().add('once-').addHex(seed, 8);
  client.identify();
  client.subscribe(client.predefined(HEARS), 2);
  client.connect(KEEP_ALIVE_S, false);
}

export function tick(): i32 {
  for (let event = client.next(); event.kind !== EventKind.None; event = client.next()) {
    if (event.kind !== EventKind.Connected || my().said !== 0) continue;
    my().said = 1;
    text.clear().add('once');
    client.publish(client.predefined(SAYS), 2, false);
  }
  return i32.MAX_VALUE;
}
