import { expect, it } from 'vitest';
import { tickFigures } from './tick-figures.js';

const at = (file: string) => `file:///x/packages/${file}.js`;
const frame = (name: string, file: string) => `    at ${name} (${at(file)}:1:2)`;

it('joins a step with the question before it, and takes the longest walk', () => {
  const ask = (atMs: number, file: string) => ({
    ...{
      kind: 'ask' as const,
      atMs,
      path: [frame('Planner.ask', 'runtime/dist/planner'), `    at ${at('runtime/dist/loop')}:5:6`],
    },
    functions: [`${at(file)} f`, `${at('runtime/dist/loop')} tick`],
  });
  const step = (beganAtMs: number, ...files: string[]) => ({
    ...{ kind: 'step' as const, beganAtMs },
    path: [frame('controlStep', 'core/dist/control/step'), frame('Session.tick', 'core/dist/control/session')],
    functions: files.map((file) => `${at(file)} g`),
  });
  const reports = [
    ask(1, 'core/dist/serve/fleet'),
    step(2, 'core/dist/control/a', 'core/dist/control/b', 'core/dist/control/a', 'core/dist/optimize/use'),
    ask(3, 'core/dist/serve/other'),
    step(4, 'core/dist/control/a'),
  ];
  expect(tickFigures(reports)).toEqual({
    path: ['Session.tick (core/src/control/session.ts)', 'Planner.ask (runtime/src/planner.ts)'],
    pathFiles: ['core/src/control/session.ts', 'runtime/src/planner.ts', 'runtime/src/loop.ts'],
    observing: ['core/src/serve/fleet.ts'],
    deciding: ['core/src/control/a.ts', 'core/src/control/b.ts'],
  });
});

it('has no figures without a step', () => {
  expect(tickFigures([])).toBeUndefined();
});
