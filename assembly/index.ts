// What an application imports. It exports two functions: `setup(seed)`, called once at power-on, and `tick()`, called after
// everything that happens, which returns the milliseconds until it wants to be called again at the latest.
import * as client from './client/application';

export { text } from './client/application';
export { Event, NO_TOPIC } from './client/state';
export { ErrorCode } from './protocol/error-code';
export { EventKind } from './protocol/event-kind';
export { NEVER_MS } from './protocol/image';
export { UPDATE_GAP } from './protocol/update';
export { client };
