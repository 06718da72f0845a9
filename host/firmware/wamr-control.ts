// Instructions that are more than operands and a result, each with the step that retraces it (WebAssembly core specification,
// 5.4).
import type { Walk } from './wamr-loader.js';

type Control = (walk: Walk) => void;

export const CONTROL: Readonly<Record<number, Control>> = {
  0: (walk) => walk.unreachable(),
  1: (walk) => walk.code.dropLabel(),
  2: (walk) => walk.enter('block'),
  3: (walk) => walk.enter('loop'),
  4: (walk) => walk.enter('if'),
  5: (walk) => walk.otherwise(),
  11: (walk) => walk.end(),
  12: (walk) => walk.branch(),
  13: (walk) => walk.branchIf(),
  14: (walk) => walk.branchTable(),
  15: (walk) => walk.leave(),
  16: (walk) => walk.call(),
  26: (walk) => walk.drop(),
  27: (walk) => walk.select(),
  32: (walk) => walk.getLocal(),
  33: (walk) => walk.setLocal(),
  34: (walk) => walk.teeLocal(),
  35: (walk) => walk.getGlobal(),
  36: (walk) => walk.setGlobal(),
  63: (walk) => walk.memorySize(false),
  64: (walk) => walk.memorySize(true),
  65: (walk) => walk.constant('i32'),
  66: (walk) => walk.constant('i64'),
  67: (walk) => walk.constant('f32'),
  68: (walk) => walk.constant('f64'),
  252: (walk) => walk.prefixed(),
};
