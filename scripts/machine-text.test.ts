import { describe, expect, it } from 'vitest';
import { findMachineText } from './machine-text.js';

const slash = '/';

describe('findMachineText', () => {
  it.each([`${slash}root/x`, `${slash}home/someone`, `${slash}tmp/a.json`, `${slash}Users/someone`])(
    'finds %s',
    (found) => {
      expect(findMachineText(`first\nread '${found}' now`)).toEqual([{ line: 2, found }]);
    },
  );

  it.each([['registry', 'npmjs', 'org'].join('.'), ['pypi', 'org'].join('.')])('finds the host %s', (host) => {
    expect(findMachineText(`https://${host}/thing`)).toEqual([{ line: 1, found: host }]);
  });

  it.each(['./tmp/a', 'a/work/b', 'https://example.org/home/x', '/proc/self/stat', '/v2/models'])(
    'leaves %s',
    (text) => {
      expect(findMachineText(text)).toEqual([]);
    },
  );
});
