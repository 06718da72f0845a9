// Secrets from people and from pipes: typed without being shown, or read to the end.
import { StringDecoder } from 'node:string_decoder';
import { UsageError } from './failure.js';

const ENTER = /[\r\n]/;
const CTRL_C = '\u0003';
const CTRL_D = '\u0004';
const ERASE = new Set(['\u007f', '\b']);

/** Of a terminal. The question goes to stderr, what is typed nowhere. Throws ERR_USAGE_PASSWORD for Ctrl-C. */
export function promptSecret(question: string, input = process.stdin, output = process.stderr): Promise<string> {
  output.write(question);
  input.setRawMode(true);
  input.resume();
  const decoder = new StringDecoder('utf8');
  const typed: string[] = [];
  return new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      input.off('data', take);
      input.setRawMode(false);
      input.pause();
      output.write('\n');
      settle();
    };
    const take = (chunk: Buffer): void => {
      for (const key of decoder.write(chunk)) {
        if (ENTER.test(key) || key === CTRL_D) {
          end(() => resolve(typed.join('')));
          return;
        }
        if (key === CTRL_C) {
          end(() => reject(new UsageError('ERR_USAGE_PASSWORD', 'interrupted; nothing has changed')));
          return;
        }
        if (ERASE.has(key)) typed.pop();
        else typed.push(key);
      }
    };
    input.on('data', take);
  });
}

/** Up to `bytesMax` octets; what follows is not read. */
export async function readAll(input: AsyncIterable<Uint8Array | string>, bytesMax: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of input) {
    const octets = Buffer.from(chunk as Uint8Array);
    chunks.push(octets);
    bytes += octets.length;
    if (bytes >= bytesMax) break;
  }
  return Buffer.concat(chunks);
}
