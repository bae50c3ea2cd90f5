import { expect, it } from 'vitest';
import { cutToWidth } from './screen.js';

it('cuts a line to the columns, counting no style, and resets the style where it cuts', () => {
  expect(cutToWidth('plain', 10)).toBe('plain');
  expect(cutToWidth('\u001b[1mbold\u001b[22m and more', 8)).toBe('\u001b[1mbold\u001b[22m and\u001b[0m');
  expect(cutToWidth('\u001b[32mgreen\u001b[39m', 5)).toBe('\u001b[32mgreen\u001b[39m');
});
