// The host's end of an emulated board, where things go wrong.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readBoard } from '../../host/firmware/boards.js';
import { startEmulator } from '../../host/firmware/run/emulator.js';
import { scratch } from '../host/firmware/modules.js';
import { describeWithTools } from '../tools.js';
import { NATIVE_BOARDS } from './native.js';

const [board] = NATIVE_BOARDS;
const OPTIONS = { seed: 1, onFrame: () => {} };
const refusal = (words: RegExp): unknown =>
  expect.objectContaining({ code: 'ERR_EMULATOR', message: expect.stringMatching(words) });

describeWithTools([board!.emulator!.program], 'an emulated board', () => {
  it('is refused where there is no emulator, or its program is missing', async () => {
    await expect(startEmulator(readBoard('native-sim'), 'x.elf', OPTIONS)).rejects.toThrow(refusal(/has no emulator/));
    const emulator = { ...board!.emulator!, program: 'no-such-emulator' };
    await expect(startEmulator({ ...board!, emulator }, 'x.elf', OPTIONS)).rejects.toThrow(refusal(/not installed/));
  });

  it("ends with the emulator's own words where that does not take the firmware", async () => {
    const elf = join(scratch(), 'no.elf');
    await expect(startEmulator(board!, elf, OPTIONS)).rejects.toThrow(refusal(/ended by itself: .*no\.elf/s));
    writeFileSync(elf, '');
    const emulator = { ...board!.emulator!, arguments: ['-M', 'no-such-machine'] };
    await expect(startEmulator({ ...board!, emulator }, elf, OPTIONS)).rejects.toThrow(
      refusal(/no-such-machine|machine/),
    );
  });
});
