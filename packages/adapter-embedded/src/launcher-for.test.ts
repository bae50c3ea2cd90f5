import { launchRequestOf, stageNamed, variantNamed } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import { launcherFor } from './launcher-for.js';

const naming = (name: string) => ({ launch: () => Promise.reject(new Error(name)) });
let stuckThreads = 0;
const launcher = launcherFor({
  thread: { ...naming('thread'), stuckThreads: () => stuckThreads },
  process: naming('process'),
  python: naming('python'),
  synthetic: naming('synthetic'),
  remote: naming('remote'),
  command: naming('command'),
});

it.each([
  [{}, 'synthetic'],
  [{ module: './stage.mjs' }, 'thread'],
  [{ module: './stage.mjs', isolation: 'thread' }, 'thread'],
  [{ module: 'npm:package/stage', isolation: 'process' }, 'process'],
  [{ module: './stage.py' }, 'python'],
] as const)('starts a stage with %j as %s', async (stage, kind) => {
  const request = launchRequestOf(stageNamed('any', [variantNamed('only')], stage));
  await expect(launcher.launch(request)).rejects.toThrow(kind);
});

it.each([
  [undefined, 'remote'],
  [['serve', '{port}'], 'command'],
] as const)('starts a variant whose server has the command %j as %s', async (command, kind) => {
  const server = {
    urls: ['http://h:1'],
    model: 'm',
    batching: 'stack',
    ...(command !== undefined && { command }),
  } as const;
  const request = launchRequestOf(stageNamed('any', [variantNamed('only', { server })]));
  await expect(launcher.launch(request)).rejects.toThrow(kind);
});

it.each([
  [3, {}, 'thread'],
  [4, {}, 'process'],
  [4, { isolation: 'thread' }, 'process'],
] as const)('starts a stage of which %d threads are stuck, with %j, as %s', async (stuck, isolation, kind) => {
  stuckThreads = stuck;
  const request = launchRequestOf(stageNamed('any', [variantNamed('only')], { module: './stage.mjs', ...isolation }));
  await expect(launcher.launch(request)).rejects.toThrow(kind);
  stuckThreads = 0;
});
