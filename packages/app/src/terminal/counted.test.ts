import { expect, it } from 'vitest';
import { counted } from './counted.js';

it.each([
  [0, '0 stages'],
  [1, '1 stage'],
  [2, '2 stages'],
])('counts %d', (count, text) => {
  expect(counted(count, 'stage')).toBe(text);
});
