/** The installed command: flags with which it starts Node. */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, symlinkSync } from 'node:fs';
import module from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { TestFolder } from './equipoise.test-support.js';

const folder = new TestFolder();
const entry = fileURLToPath(new URL('../bin/equipoise.js', import.meta.url));
const installed = join(folder.path, 'installed');
const settings = '$MALLOC_ARENA_MAX $MALLOC_MMAP_THRESHOLD_ $MALLOC_TRIM_THRESHOLD_';
const prints = `elif [ "$PRINT" = settings ]; then echo "${settings}"; else echo "$@"; fi`;
folder.write('node', `#!/bin/sh\nif [ "$1" = --version ]; then echo "$NODE"; ${prints}\n`);
chmodSync(join(folder.path, 'node'), 0o755);
symlinkSync(fileURLToPath(new URL('../bin/equipoise', import.meta.url)), installed);

afterAll(() => folder.remove());

const young = '--max-semi-space-size=64 ';
const seldom = '--incremental-marking-soft-trigger=75 --incremental-marking-hard-trigger=90 ';
const early = '--invocation-count-for-turbofan=1000 --concurrent-turbofan-max-threads=1 ';
const usual = young + seldom + early;

it.each([
  [['serve', 'pipeline.yaml', '--port', '0'], 'v24.2.0', '', usual],
  [['serve', 'pipeline.yaml'], 'v22.0.0', '', usual],
  [['serve', 'pipeline.yaml'], 'v20.19.0', '', young + seldom],
  [['serve', 'pipeline.yaml'], 'v26.1.0', '', young + seldom],
  [['demo'], 'v24.2.0', '--no-warnings', usual],
  [['calibrate', 'pipeline.yaml'], 'v24.2.0', '', usual],
  [['profile', 'pipeline.yaml'], 'v20.19.0', '', young + seldom],
  [['experiment', 'grid.yaml', '--on', 'simulator,embedded'], 'v24.2.0', '', usual],
  [['experiment', 'grid.yaml'], 'v24.2.0', '', ''],
  [['demo'], 'v24.2.0', '--max-semi-space-size=16', seldom + early],
  [['serve', 'pipeline.yaml'], 'v24.2.0', '--trace-gc --max_semi_space_size=16', seldom + early],
  [['plan', 'serve'], 'v24.2.0', '', ''],
  [[], 'v24.2.0', '', ''],
])('starts %j on Node %s with NODE_OPTIONS %j as `node %s…`', (args, version, options, flags) => {
  const env = { PATH: `${folder.path}:${process.env['PATH']}`, NODE: version, NODE_OPTIONS: options };
  const started = execFileSync(installed, args, { env, encoding: 'utf8' });
  expect(started.trim()).toBe(`${flags}${entry}${args.map((arg) => ` ${arg}`).join('')}`);
});

it.each([
  [['serve', 'pipeline.yaml'], {}, '1 1048576 1048576'],
  [['demo'], { MALLOC_ARENA_MAX: '4' }, '4 1048576 1048576'],
  [['plan'], {}, '  '],
])('starts %j with environment %j and the settings %j of the allocator', (args, own, expected) => {
  const env = { PATH: `${folder.path}:${process.env['PATH']}`, PRINT: 'settings', ...own };
  expect(execFileSync(installed, args, { env, encoding: 'utf8' })).toBe(`${expected}\n`);
});

it('keeps its compiled code in the cache folder, if Node can and the folder can be written', () => {
  const versionWith = (cache: string): string => {
    const env = { ...process.env, EQUIPOISE_CACHE_DIR: cache, NODE_COMPILE_CACHE: undefined };
    return execFileSync(process.execPath, [entry, '--version'], { env, encoding: 'utf8' });
  };
  const cache = join(folder.path, 'cache');
  // Under /proc, Node itself would try to make a folder forever.
  for (const unusable of ['/dev/null/cache', '/proc/cache']) expect(versionWith(unusable)).toBe(versionWith(cache));
  expect(existsSync(join(cache, 'compiled'))).toBe('enableCompileCache' in module);
});

/** Runs after the command. Prints the young generation (MiB) of a thread whose limit is 12. */
const thread = `
  const { parentPort } = require('node:worker_threads');
  const { getHeapSpaceStatistics } = require('node:v8');
  const sizeOf = () => getHeapSpaceStatistics().find((space) => space.space_name === 'new_space').space_size / 2 ** 20;
  let [kept, most] = [[], 0];
  for (let round = 0; round < 40; round++) {
    kept = Array.from({ length: 100_000 }, (_, index) => ({ index }));
    most = Math.max(most, sizeOf());
  }
  parentPort.postMessage(most);`;
const probe = `
  import { Worker } from 'node:worker_threads';
  const options = { eval: true, execArgv: [], resourceLimits: { maxYoungGenerationSizeMb: 12 } };
  process.once('beforeExit', () => new Worker(${JSON.stringify(thread)}, options).on('message', console.log));`;

it.each([
  ['arguments', [young.trim()], ''],
  ['NODE_OPTIONS', [], '--max-semi-space-size=16'],
])('leaves threads their own limits, in spite of the young generation that %s set', (_, flags, options) => {
  const preload = `data:text/javascript,${encodeURIComponent(probe)}`;
  const args = [...flags, ...seldom.trim().split(' '), '--import', preload, entry, '--version'];
  const env = { ...process.env, NODE_OPTIONS: options };
  const [, youngMib] = execFileSync(process.execPath, args, { env, encoding: 'utf8' }).split('\n');
  expect(Number(youngMib)).toBeGreaterThan(0);
  expect(Number(youngMib)).toBeLessThanOrEqual(12);
});
