/** Chromium of the system, for tests in a real browser. */
import { accessSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Tool } from './requires-tool.js';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/** Path of the browser; undefined if none is installed. */
export const chromiumPath: string | undefined = (process.env['PATH'] ?? '')
  .split(delimiter)
  .flatMap((folder) => NAMES.map((name) => join(folder, name)))
  .find(isAccessible);

export const chromium: Tool = {
  name: 'chromium',
  missing: 'the Debian package chromium',
  isPresent: () => chromiumPath !== undefined,
};

/** Options that a browser needs in a container. */
export const chromiumOptions: readonly string[] = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'];

function isAccessible(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}
