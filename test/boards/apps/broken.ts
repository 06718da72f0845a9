// An update that never works: it stops as soon as it is to do something.
export function setup(_seed: i32): void {}

export function tick(): i32 {
  unreachable();
  return 0;
}
