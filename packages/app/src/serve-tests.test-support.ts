/** What the tests of `equipoise serve` have in common: a folder with their files, and commands that run in it and end after each test. */
import { afterAll, afterEach } from 'vitest';
import { type Ended, endCommands, equipoise, type Serving, serving, TestFolder } from './equipoise.test-support.js';

/** The folder of a test file, and what runs in it. */
export interface ServeTests {
  readonly folder: TestFolder;
  /** Starts `equipoise serve` on a free port and waits until it is ready. */
  readonly serve: (...args: string[]) => Promise<Serving>;
  /** Runs a command to its end. */
  readonly equipoise: (...args: string[]) => Promise<Ended>;
}

/** Writes these files, by name; called once in a test file, outside of its suites. */
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
