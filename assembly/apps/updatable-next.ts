// The next version of `updatable`: what a fleet of it is updated to.
import { run } from './updatable';

export { setup } from './updatable';

export function tick(): i32 {
  return run('1.1.0');
}
