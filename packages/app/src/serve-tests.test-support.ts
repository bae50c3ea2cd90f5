/** Shared fixture of `equipoise serve` tests: a folder with files, and commands that end after each test. */
import { afterAll, afterEach } from 'vitest';
import { type Ended, endCommands, equipoise, type Serving, serving, TestFolder } from './equipoise.test-support.js';

export interface ServeTests {
  readonly folder: TestFolder;
  /** Starts `equipoise serve` on a free port and waits until it is ready. */
  readonly serve: (...args: string[]) => Promise<Serving>;
  /** Runs a command to its end. */
  readonly equipoise: (...args: string[]) => Promise<Ended>;
}

/** Writes these files, by name; call once per test file, outside of suites. */
export function serveTests(files: Readonly<Record<string, string>> = {}): ServeTests {
  const folder = new TestFolder();
  for (const [name, text] of Object.entries(files)) folder.write(name, text);
  afterEach(endCommands);
  afterAll(() => folder.remove());
  return {
    folder,
    serve: (...args) => serving(folder.path, ...args),
    equipoise: (...args) => equipoise(folder.path, ...args),
  };
}
