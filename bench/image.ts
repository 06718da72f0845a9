// Devices as blocks of bytes: how fast they are copied in and out of one instance of their module.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Board } from '../host/device/abi.js';
import { DeviceModule } from '../host/device/device.js';
import { BUILD_DIR } from '../host/firmware/paths.js';
import { type Effort, measure, type Row, repeat } from './measure.js';

const BATCH = 1_000;
const UNIT = 'images';

export function benchImages(effort: Effort): Promise<Row[]> {
  const module = new DeviceModule(readFileSync(join(BUILD_DIR, 'modules', 'modem-mqttsn.wasm')));
  const board: Board = { send: (datagram) => datagram.length };
  const [device, other] = [module.create(board), module.create(board)];
  device.start(0, 1);
  other.start(0, 2);
  const image = device.save();
  const subject = `${image.length.toLocaleString('en-US')} B of modem-mqttsn`;
  const task = (name: string, action: (i: number) => unknown, unitsPerAction = 1) => ({
    task: name,
    subject,
    unit: UNIT,
    units: BATCH * unitsPerAction,
    run: () => repeat(BATCH, action),
  });
  const pair = [device, other];
  return measure(
    'image',
    [
      task('save', () => device.save()),
      task('restore', (i) => device.restore(image, i)),
      task('switch between two devices and poll', (i) => pair[i % pair.length]!.poll(0)),
    ],
    effort,
  );
}
