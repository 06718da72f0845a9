// Publishes 32 octets every second: what a message costs. Whoever measures puts its QoS in.
import { client, EventKind, text } from 'thimble';

const QOS: i32 = 0;
const PAYLOAD_BYTES: i32 = 32;
const PAYLOAD: usize = memory.data<u8>([
  0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x30, 0x31, 0x32,
  0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66,
]);
const EVERY_MS: i32 = 1_000;
/** So long that nothing but messages is sent meanwhile. */
const KEEP_ALIVE_S: i32 = 3_600;

@unmanaged
class State {
  topic: i32;
  publishAt: i32;
}

function my(): State {
  return client.state<State>();
}

export function setup(_seed: i32): void {
  text.clear().add('publisher');
  client.identify();
  my().topic = client.topic('bench/publisher');
  my().publishAt = client.now() + EVERY_MS;
  client.connect(KEEP_ALIVE_S, true);
}

export function tick(): i32 {
  while (client.next().kind !== EventKind.None) {}
  if (client.isTime(my().publishAt)) {
    my().publishAt += EVERY_MS;
    text.clear().addBytes(PAYLOAD, PAYLOAD_BYTES);
    client.publish(my().topic, QOS, false);
  }
  return my().publishAt - client.now();
}
