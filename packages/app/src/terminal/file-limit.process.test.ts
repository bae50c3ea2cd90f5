import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';

const MODULE = new URL('../../dist/terminal/file-limit.js', import.meta.url).href;
const SCRIPT = `
  import { openSync } from 'node:fs';
  const { fileLimit, isOutOfFiles } = await import(${JSON.stringify(MODULE)});
  let failure;
  while (failure === undefined)
    try {
      openSync('/dev/null');
    } catch (error) {
      failure = error;
    }
  console.log(JSON.stringify([isOutOfFiles(failure), fileLimit()]));`;

it('tells the limit, also when no further file can be opened', () => {
  const command = 'ulimit -n 200 && exec "$0" --input-type=module -e "$1"';
  const { stdout, stderr } = spawnSync('sh', ['-c', command, process.execPath, SCRIPT], { encoding: 'utf8' });
  expect(stdout, stderr).toBe('[true,200]\n');
});
