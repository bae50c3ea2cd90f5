/** A command within a time limit. It gets a process group of its own, so that its end leaves no process. */
import { spawn } from 'node:child_process';
import type { Command } from './line.js';

/** Time between SIGTERM and SIGKILL. */
const END_MS = 20_000;

/** Resolves at the end of the command: false if it was ended at the limit. Its output goes to stderr. */
export function runWithin({ program, args, env }: Command, limitMs: number): Promise<boolean> {
  const child = spawn(program, args, { detached: true, stdio: ['ignore', 2, 2], env: { ...process.env, ...env } });
  let isInTime = true;
  const signal = (name: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name);
    } catch {
      // The group has ended.
    }
  };
  const end = (): void => {
    isInTime = false;
    signal('SIGTERM');
  };
  const timers = [setTimeout(end, Math.max(0, limitMs)), setTimeout(() => signal('SIGKILL'), limitMs + END_MS)];
  const interrupted = (): void => {
    signal('SIGKILL');
    process.exit(1);
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => {
      for (const timer of timers) clearTimeout(timer);
      process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
      signal('SIGKILL');
      resolve(isInTime);
    });
  });
}
