// A device whose end is noticed soon: a keep-alive of a second, and a will.
import { client, EventKind, text } from 'thimble';

const KEEP_ALIVE_S: i32 = 1;

@unmanaged
class State {
  aliveTopic: i32;
}

function my(): State {
  return client.state<State>();
}

export function setup(seed: i32): void {
  text.clear().add('mortal-').addHex(seed, 8);
  client.identify();
  client.will(client.topic('mortal/status'), 'gone', 1, false);
  my().aliveTopic = client.topic('mortal/alive');
  client.connect(KEEP_ALIVE_S, true);
}

export function tick(): i32 {
  for (let event = client.next(); event.kind !== EventKind.None; event = client.next()) {
    if (event.kind !== EventKind.Connected) continue;
    text.clear().add('here');
    client.publish(my().aliveTopic, 1, false);
  }
  return i32.MAX_VALUE;
}
