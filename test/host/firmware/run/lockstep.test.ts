import { describe, expect, it } from 'vitest';
import { LockstepDevice } from '../../../../host/firmware/run/lockstep.js';

const octets = (text: string, ...rest: number[]): Uint8Array => Uint8Array.of(...Buffer.from(text), ...rest);

/** A device, what it is sent, and a board that answers what it is told to. */
function scripted(...answers: Uint8Array[]): { device: LockstepDevice; frames: number[][] } {
  const frames: number[][] = [];
  const device = new LockstepDevice((frame) => {
    frames.push([...frame]);
    queueMicrotask(() => {
      for (const answer of answers) device.take(answer);
    });
  });
  return { device, frames };
}

const OK = octets('R', 0, 0, 0, 0);

describe('a lockstep device', () => {
  it('writes numbers of 32 bits, little-endian, and lets them wrap', async () => {
    const { device, frames } = scripted(OK);
    await device.start(0x1_0203_0405, 0xfffffffe);
    await device.poll(1);
    await device.resume(-1);
    await device.receive(Uint8Array.of(2, 0x17), 3, Uint8Array.of(9, 8));
    await device.seal();
    expect(frames).toEqual([
      [...octets('s', 5, 4, 3, 2, 254, 255, 255, 255)],
      [...octets('p', 1, 0, 0, 0)],
      [...octets('u', 255, 255, 255, 255)],
      [...octets('r', 3, 0, 0, 0, 2, 9, 8, 2, 0x17)],
      [...octets('z')],
    ]);
  });

  it('reads what was sent, to whom, and the result', async () => {
    const { device } = scripted(octets('S', 0, 2, 0x16), octets('S', 2, 7, 8, 1), octets('R', 0xfe, 255, 255, 255));
    const { result, sent } = await device.poll(0);
    expect(result).toBe(-2);
    expect(sent.map(({ to, datagram }) => [[...to], [...datagram]])).toEqual([
      [[], [2, 0x16]],
      [[7, 8], [1]],
    ]);
  });

  it('writes a verb with its name, its arguments in order, and its octets', async () => {
    const { device, frames } = scripted(octets('R', 7, 0, 0, 0));
    expect(await device.verb('will', [-1, 2], Uint8Array.of(9))).toEqual({ result: 7, sent: [], events: [] });
    await device.verb('busy');
    expect(frames).toEqual([
      [...octets('v'), 4, ...octets('will'), 2, 255, 255, 255, 255, 2, 0, 0, 0, 9],
      [...octets('v'), 4, ...octets('busy'), 0],
    ]);
  });

  it('says which verb a module does not have, and goes on', async () => {
    const device: LockstepDevice = new LockstepDevice((frame) =>
      queueMicrotask(() => device.take(frame[0] === 0x76 ? octets('R', 0x9d, 255, 255, 255) : OK)),
    );
    await expect(device.verb('frobnicate', [1, 2])).rejects.toMatchObject({
      code: 'ERR_LOCKSTEP',
      message: 'frobnicate(1, 2): the board, or its module, knows no such call',
    });
    expect((await device.poll(0)).result).toBe(0);
  });

  it('reads events with their names and data, and refuses one that has not all of them', async () => {
    const event = (...rest: number[]): Uint8Array =>
      octets('E', 6, 6, 0, 1, 0, 5, 0, 9, 0, ...new Array<number>(8).fill(0), 1, 0, 2, 0, ...rest);
    const { device } = scripted(event(65, 1, 2), event(66, 3, 4), OK);
    const { events } = await device.poll(0);
    expect(events.map((e) => [e[0], e.length, ...e.slice(21)])).toEqual([
      [6, 24, 65, 1, 2],
      [6, 24, 66, 3, 4],
    ]);
    for (const broken of [event(65, 1), event(65, 1, 2, 3), octets('E', 6)]) {
      await expect(scripted(broken, OK).device.poll(0)).rejects.toMatchObject({ code: 'ERR_LOCKSTEP' });
    }
  });

  it('reads the state and the measurements', async () => {
    const image = scripted(octets('I', 1, 2, 3), octets('R', 3, 0, 0, 0));
    expect([...(await image.device.image())]).toEqual([1, 2, 3]);
    const measure = scripted(octets('R', 200, 1, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0));
    expect(await measure.device.measure()).toEqual({ stackBytes: 456, cycles: 2, instructions: 3 });
  });

  it.each([
    ['says something unheard of', [octets('?')]],
    ['gives no state where it is asked for it', [OK]],
  ])('fails where the board %s', async (_, answers) => {
    await expect(scripted(...answers).device.image()).rejects.toMatchObject({ code: 'ERR_LOCKSTEP' });
  });

  it('fails at once where the board starts again in the middle of a call, and not where it does before', async () => {
    const device: LockstepDevice = new LockstepDevice(() => queueMicrotask(() => device.log('started: trap')));
    device.log('started: power');
    await expect(device.poll(0)).rejects.toThrow(/reset in poll.*started: trap/);
  });

  it('makes no call while another is under way, and none after the end', async () => {
    const device = new LockstepDevice(() => {});
    const first = device.poll(0);
    await expect(device.seal()).rejects.toMatchObject({ code: 'ERR_LOCKSTEP' });
    device.stop(new Error('off'));
    await expect(first).rejects.toThrow('off');
    await expect(device.poll(1)).rejects.toThrow('off');
  });

  it('fails where the board speaks unasked', async () => {
    const { device } = scripted(OK);
    device.take(OK);
    await expect(device.poll(0)).rejects.toMatchObject({ code: 'ERR_LOCKSTEP' });
  });
});
