import { describe, expect, it } from 'vitest';
import { parseLoadFile } from './load-file.js';

describe('parseLoadFile', () => {
  it('reads the first column behind comments and one header line', () => {
    expect(parseLoadFile('# source\nrequests,note\n3,a\n0,b\n\n12,c\n', 'x.csv')).toEqual([3, 0, 12]);
    expect(parseLoadFile('3\n4\r\n', 'x.csv')).toEqual([3, 4]);
  });

  it.each([
    ['a\nb\n1', 'x.csv:2: expected a whole number of requests of at least 0, found "b".'],
    ['1\n-2', 'x.csv:2: expected a whole number of requests of at least 0, found "-2".'],
    ['1\n2.5', 'x.csv:2: expected a whole number of requests of at least 0, found "2.5".'],
    ['1\nrequests', 'x.csv:2: expected a whole number of requests of at least 0, found "requests".'],
    ['# nothing', 'x.csv has no line with a number of requests.'],
  ])('refuses %j by line', (text, message) => {
    const refusal = expect.objectContaining({ code: 'FILE_UNREADABLE', message });
    expect(() => parseLoadFile(text, 'x.csv')).toThrow(refusal);
  });
});
