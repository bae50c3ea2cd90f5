/**
 * Setup of the quick tier: a test that starts a child process fails, and the error names the right tier. The compiler
 * of stage modules is an exception, because this library needs its own process.
 */
import childProcess from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';

/** Test files that share a process run this setup one after another. */
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
