import type { TensorMap } from '@equipoise/core';
import { describe, expect, it } from 'vitest';
import { score } from './evaluate.js';
import { load as loadTicket } from './stages/ticket.js';

const text = (value: string) => ({ datatype: 'BYTES', shape: [1], data: [value] }) as const;

describe('ticket', () => {
  it.each([
    ['billing', 'The bill is too high.', '[billing] The bill is too high.'],
    ['', '', '[unclear]'],
  ])('names the desk "%s" and the summary "%s"', async (desk, summary, ticket) => {
    const [answer] = await loadTicket().run([{ desk: text(desk), summary: text(summary) }]);
    expect(answer).toEqual({ desk: text(desk), summary: text(summary), ticket: text(ticket) });
  });
});

describe('score', () => {
  const label = { desk: 'billing', request: 'The last bill is forty dollars too high.' };
  const ticket = (desk: string, summary: string): TensorMap => ({ desk: text(desk), summary: text(summary) });

  it.each([
    ['all right', ticket('billing', 'The last bill is forty dollars too high.'), 1],
    ['half of the words', ticket('billing', 'The last bill is 14 dollars, to hide.'), 1],
    ['another sentence', ticket('billing', 'I tried to reach you yesterday.'), 0],
    ['another desk', ticket('support', 'The last bill is forty dollars too high.'), 0],
    ['no answer', {}, 0],
  ])('%s', (_, outputs, expected) => {
    expect(score([{ outputs, label }])).toBe(expected);
  });
});
