/**
 * Runs every `check:*` script of package.json, in parallel, and prints the output of each when it ends. Fails if one
 * fails.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

const { scripts }: { readonly scripts: Readonly<Record<string, string>> } = JSON.parse(
  readFileSync('package.json', 'utf8'),
);
const remedies: Readonly<Record<string, string>> = {
  'check:lint': 'Run `npm run format`; mend by hand what it leaves.',
  'check:generated': 'Run `npm run generate` and commit what it writes.',
};
const waiting = Object.keys(scripts).filter((name) => name.startsWith('check:'));
const failed: string[] = [];

await Promise.all(Array.from({ length: availableParallelism() }, runWaiting));
if (failed.length > 0) {
  console.log(`failed: ${failed.join(', ')}`);
  process.exitCode = 1;
}

async function runWaiting(): Promise<void> {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) await runCheck(name);
}

function runCheck(name: string): Promise<void> {
  const startedAtMs = performance.now();
  return new Promise((resolve) => {
    execFile('npm', ['run', '--silent', name], { maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1);
      console.log(`-- ${name} ${error === null ? 'passed' : 'FAILED'} in ${seconds} s`);
      console.log(`${stdout}${stderr}`.trim());
      if (error !== null) {
        failed.push(name);
        if (name in remedies) console.log(remedies[name]);
      }
      resolve();
    });
  });
}
