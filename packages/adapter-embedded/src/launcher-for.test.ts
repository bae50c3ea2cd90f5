import { launchRequestOf, stageNamed, variantNamed } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import { launcherFor } from './launcher-for.js';

const naming = (name: string) => ({ launch: () => Promise.reject(new Error(name)) });
const launcher = launcherFor({
  thread: naming('thread'),
  process: naming('process'),
  python: naming('python'),
  synthetic: naming('synthetic'),
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
