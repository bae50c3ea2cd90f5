/**
 * Command line in the test's process, from source; its threads run compiled code. For commands that end by themselves.
 * The process tier tests the exit of compiled commands.
 */
import { vi } from 'vitest';
import type { Ended } from './equipoise.test-support.js';
import { runProgram } from './run-program.js';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
let before: Promise<unknown> = Promise.resolve();

/** Runs a command to its end in the folder `cwd`, once earlier commands have ended. */
export function equipoiseHere(cwd: string, ...args: string[]): Promise<Ended> {
  const run = before.then(() => ended(cwd, args));
  before = run.catch(() => {});
  return run;
}

async function ended(cwd: string, args: readonly string[]): Promise<Ended> {
  const [folder, exitCode, console] = [process.cwd(), process.exitCode, globalThis.console];
  const listeners = SIGNALS.map((signal) => process.listeners(signal));
  const written = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      written[name] += String(text);
      return true;
    }),
  );
  process.chdir(cwd);
  process.exitCode = undefined;
  try {
    await runProgram(args);
    return { exitCode: Number(process.exitCode ?? 0), signal: null, ...written };
  } finally {
    process.exitCode = exitCode;
    globalThis.console = console;
    process.chdir(folder);
    for (const spy of spies) spy.mockRestore();
    for (const [index, signal] of SIGNALS.entries()) {
      for (const listener of process.listeners(signal)) {
        if (!listeners[index]?.includes(listener)) process.off(signal, listener);
      }
    }
  }
}
