/**
 * Setup of the quick tier: a test that starts a child process fails and learns its place. The compiler of stage modules is the exception:
 * it is a library that keeps a process of its own.
 */
import childProcess from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';

/** Files that share a process run this one after another. */
const done = Symbol.for('equipoise.refuse-child-processes');
const starters = ['exec', 'execFile', 'execFileSync', 'execSync', 'fork', 'spawn', 'spawnSync'] as const;

for (const name of done in globalThis ? [] : starters) {
  const start = childProcess[name] as (file: string, ...rest: unknown[]) => unknown;
  const refuse = (file: string, ...rest: unknown[]): unknown => {
    if (file.includes('esbuild')) return start(file, ...rest);
    throw new Error(`${name}(${file}): a test that starts a child process is named NAME.process.test.ts`);
  };
  Object.assign(childProcess, { [name]: Object.assign(refuse, start) });
}
Object.assign(globalThis, { [done]: true });
syncBuiltinESMExports();
