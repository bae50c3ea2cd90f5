import { describe, expect, it } from 'vitest';
import { hashOf, placeOf } from './route.js';

describe('the place in the page', () => {
  it.each([
    ['', { view: 'overview' }],
    ['#/p', { pipeline: 'p', view: 'overview' }],
    ['#/p/decisions/17', { pipeline: 'p', view: 'decisions', detail: '17' }],
    ['#/p/nonsense', { pipeline: 'p', view: 'overview' }],
    ['#/a%2Fb/decisions', { pipeline: 'a/b', view: 'decisions' }],
    ['#/%E0%A4%A', { pipeline: '%E0%A4%A', view: 'overview' }],
  ])('%s', (hash, place) => {
    expect(placeOf(hash)).toEqual({ pipeline: undefined, detail: undefined, ...place });
  });

  it('comes back from its address', () => {
    expect(placeOf(hashOf('ä/ b', 'decisions', 3))).toEqual({ pipeline: 'ä/ b', view: 'decisions', detail: '3' });
  });
});
