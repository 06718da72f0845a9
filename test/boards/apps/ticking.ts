// Wants its turn every 50 ms, and counts them.
import { client, text } from 'thimble';

const KEEP_ALIVE_S: i32 = 60;
const TICK_MS: i32 = 50;

@unmanaged
class State {
  turns: i32;
}

export function setup(seed: i32): void {
  text.clear().add('ticking-').addHex(seed, 8);
  client.identify();
  client.connect(KEEP_ALIVE_S, true);
}

export function tick(): i32 {
  client.next();
  client.state<State>().turns++;
  return TICK_MS;
}
