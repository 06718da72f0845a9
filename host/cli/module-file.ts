// Which file holds the module of an application that a command is to run.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BUILD_DIR } from '../firmware/paths.js';

/** A module as it is, an example or module that comes with Thimble, or an application's source, which is built first. */
export async function moduleFile(app: string): Promise<string> {
  if (app.endsWith('.wasm')) return app;
  const shipped = ['apps', 'modules'].map((folder) => join(BUILD_DIR, folder, `${app}.wasm`));
  const found = shipped.find((file) => existsSync(file));
  if (found !== undefined) return found;
  // The compiler takes half a second to load: only where it is needed.
  const { buildApplication } = await import('./build.js');
  return buildApplication(app);
}
