// A module around an application: the contract's calls, with the application's `tick` after each. The build puts the
// application's file in the place of '../apps/main'.
import { setup, tick } from '../apps/main';
import { advance, powerOn, receive as receiveDatagram, remaining, runDue, untilDue, wakeImage } from '../client/client';
import { dropEvents } from '../client/events';
import { client } from '../client/state';

export { abi, image, imageBytes, peer, peerBytes, rx, rxBytes, seal } from './contract';
// Where static data end: the compiler knows, and the link step says it the way runtimes want it.
export { __data_end, __heap_base };

export function start(now: i32, seed: i32): i32 {
  powerOn(now, seed);
  setup(seed);
  runApplication();
  return 0;
}

export function receive(bytes: i32, now: i32): i32 {
  const result = receiveDatagram(bytes, now);
  runApplication();
  return result;
}

export function poll(now: i32): i32 {
  runDue(now);
  runApplication();
  return min(untilDue(), remaining(client.tickAt));
}

export function resume(now: i32): i32 {
  return wakeImage(now);
}

function runApplication(): void {
  client.tickAt = client.now + tick();
  dropEvents();
  advance();
}
