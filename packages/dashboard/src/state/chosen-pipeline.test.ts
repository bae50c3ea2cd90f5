import { expect, it } from 'vitest';
import { chosenPipeline, missingPipeline } from './chosen-pipeline.js';

it.each([
  ['nothing before the first answer', { served: undefined }, undefined, undefined],
  ['the first of a new page', { served: ['p', 'q'] }, 'p', undefined],
  ['that of the address', { asked: 'q', before: 'p', served: ['p', 'q'] }, 'q', undefined],
  ['one that the server does not know', { asked: 'gone', served: ['p'] }, 'gone', 'gone'],
  ['the one before, also if another comes first now', { before: 'q', served: ['p', 'q'] }, 'q', undefined],
  ['the one before, also if it is gone: never another by itself', { before: 'p', served: ['q'] }, 'p', 'p'],
  ['none if none is served', { served: [] }, undefined, undefined],
] as const)('the page shows %s', (_, given, chosen, missing) => {
  const choice = { asked: undefined, before: undefined, ...given };
  expect([chosenPipeline(choice), missingPipeline(choice)]).toEqual([chosen, missing]);
});
