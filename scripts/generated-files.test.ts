import { describe, expect, it } from 'vitest';
import { placeGenerated } from './generated-files.js';

const part = { path: 'page.md', part: 'graph', render: () => '' };

describe('placeGenerated', () => {
  it('replaces what stands between the markers and nothing else', () => {
    const page = 'before\n<!-- generated:graph -->\nold\n<!-- end:graph -->\nafter\n';
    const placed = placeGenerated(page, part, 'new\n');
    expect(placed).toBe('before\n<!-- generated:graph -->\nnew\n<!-- end:graph -->\nafter\n');
    expect(placeGenerated(placed, part, 'new\n')).toBe(placed);
  });

  it('names the markers where they are missing', () => {
    expect(() => placeGenerated('nothing', part, 'new')).toThrow(
      'page.md: expected the markers <!-- generated:graph -->',
    );
  });

  it('replaces a whole file, with one line end', () => {
    expect(placeGenerated('old', { path: 'page.md', render: () => '' }, 'new')).toBe('new\n');
  });
});
