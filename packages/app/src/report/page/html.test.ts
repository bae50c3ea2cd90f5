import { describe, expect, it } from 'vitest';
import { htmlTable } from './html.js';

const table = (head: readonly string[], rows: readonly (readonly string[])[]) => htmlTable('name', head, rows);

describe('htmlTable', () => {
  it.each([
    '12',
    '1.23 ms',
    '74 MiB',
    '1.23 ms ±13.6 %',
    '8.74 ms (6.76 ms to 20.1 ms)',
    '99.5 (98.1–99.9)',
    '+0.15 ± 0.01 *',
    '–',
  ])('sets a column of figures to the right: %s', (figure) => {
    expect(table(['a'], [['1'], [figure]])).toMatch(
      /<th scope="col" class="number">.*<td class="number">.*<td class="number">/,
    );
  });

  it.each(['55 at batch 1', '1, 2, 4', 'small', ''])('leaves text where it is: %j', (text) => {
    expect(table(['a'], [['1'], [text]])).not.toContain('class="number"');
  });

  it('breaks a figure only before its interval', () => {
    const html = table(['a'], [['8.74 ms (6.76 ms to 20.1 ms)'], ['12 ms']]);
    expect(html).toContain('<span>8.74 ms</span> <span class="interval">(6.76 ms to 20.1 ms)</span>');
    expect(html).toContain('<td class="number"><span>12 ms</span></td>');
  });

  it('lets long text alone take several lines', () => {
    const html = table(['a'], [['short'], ['reason '.repeat(10)]]);
    expect(html.match(/<td class="long">/g)).toHaveLength(1);
    expect(html).toContain('<td>short</td>');
  });

  it('has at most 1,000 rows, and says how many more there are', () => {
    const html = table(
      ['a'],
      Array.from({ length: 1002 }, () => ['x']),
    );
    expect(html.match(/<td>/g)).toHaveLength(1000);
    expect(html).toContain('2 more rows not shown.');
  });
});
