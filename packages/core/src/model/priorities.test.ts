import { expect, it } from 'vitest';
import { defaultPriorities, priorityLevel } from './pipeline-spec.js';

it.each([
  ['none stated', undefined, 1],
  ['0 stands for none', 0, 1],
  ['the most urgent', 1, 0],
  ['the last', 3, 2],
  ['beyond the last', 99, 2],
])('%s', (_, priority, level) => {
  expect(priorityLevel(defaultPriorities, priority)).toBe(level);
});
