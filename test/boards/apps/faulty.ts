// What no application should do. Its serial number says what it does as soon as it has connected: 0 never returns, 1 stops in
// the middle, 2 reads a word at an odd address, anything else is an address of the board's that it writes to.
import { client, EventKind, text } from 'thimble';

const KEEP_ALIVE_S: i32 = 60;
const LOOPS: i32 = 0;
const STOPS: i32 = 1;
const READS_ODDLY: i32 = 2;

@unmanaged
class State {
  seed: i32;
  turns: i32;
}

function my(): State {
  return client.state<State>();
}

export function setup(seed: i32): void {
  my().seed = seed;
  text.clear().add('faulty');
  client.identify();
  client.connect(KEEP_ALIVE_S, true);
}

export function tick(): i32 {
  for (let event = client.next(); event.kind !== EventKind.None; event = client.next()) {
    if (event.kind === EventKind.Connected) fail(my().seed);
  }
  return i32.MAX_VALUE;
}

function fail(how: i32): void {
  if (how === STOPS) unreachable();
  if (how === READS_ODDLY) my().turns = load<i32>(changetype<usize>(my()) + <usize>(how >> 1));
  else if (how !== LOOPS) store<u32>(<usize>how, 1);
  while (how === LOOPS) my().turns++;
}
