// Reckons with floating-point numbers, and says every octet of what comes of it.
import { client, text } from 'thimble';

const TOPIC: i32 = 1;
const EVERY_MS: i32 = 1_000;

@unmanaged
class State {
  single: f32;
  double: f64;
  rounds: i32;
}

function my(): State {
  return client.state<State>();
}

export function setup(seed: i32): void {
  client.identify();
  my().single = <f32>seed / 7.0;
  my().double = <f64>(<u32>seed) * 1.1;
}

export function tick(): i32 {
  singles();
  doubles();
  conversions();
  my().rounds++;
  return EVERY_MS;
}

function singles(): void {
  const a = my().single;
  const b = sqrt<f32>(abs<f32>(a)) * 3.7 + 0.3;
  my().single = b - floor<f32>(b / 3.0) * 1.5;
  say(reinterpret<i32>(b), reinterpret<i32>(ceil<f32>(b)), reinterpret<i32>(nearest<f32>(-b)));
  say(reinterpret<i32>(min<f32>(a, b)), reinterpret<i32>(copysign<f32>(b, -a)), reinterpret<i32>(a % b));
}

function doubles(): void {
  const a = my().double;
  const b = sqrt<f64>(abs<f64>(a)) / 1.3 - trunc<f64>(a / 8.0);
  my().double = b + 17.25;
  sayDouble(b);
  sayDouble(floor<f64>(b * 1e9) + max<f64>(a, -b));
  sayDouble(a < b ? a : nearest<f64>(b) * 1e-300);
}

function conversions(): void {
  const d = my().double;
  const wide = <i64>(d * 1e6);
  say(<i32>d, <i32>(<u32>(d + 1e6)), <i32>(wide >> 8));
  sayDouble(<f64>wide + <f64>(<f32>d));
  sayDouble(<f64>(<u64>wide * 0x9e3779b9 * 0x7f4a7c15));
}

function sayDouble(value: f64): void {
  const bits = reinterpret<i64>(value);
  say(<i32>(bits >> 32), <i32>bits, my().rounds);
}

function say(a: i32, b: i32, c: i32): void {
  text.clear().addHex(a, 8).addHex(b, 8).addHex(c, 8);
  client.publish(client.predefined(TOPIC), -1, false);
}
