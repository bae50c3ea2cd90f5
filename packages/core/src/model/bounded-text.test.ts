import { expect, it } from 'vitest';
import { boundedMessage, boundedName } from './bounded-text.js';

it.each([
  ['names', boundedName, 200],
  ['messages', boundedMessage, 2000],
])('cuts %s', (_, bounded, most) => {
  expect(bounded('x'.repeat(most))).toBe('x'.repeat(most));
  expect(bounded('x'.repeat(most + 1))).toBe(`${'x'.repeat(most - 1)}…`);
  expect(bounded(`${'x'.repeat(most - 2)}😀😀`)).toBe(`${'x'.repeat(most - 2)}…`);
});
