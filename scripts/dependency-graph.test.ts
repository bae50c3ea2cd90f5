import { describe, expect, it } from 'vitest';
import { toMermaid, transitiveReduction } from './dependency-graph.js';

const arrow = (text: string) => {
  const [from = '', to = ''] = text.split('>');
  return { from, to };
};

describe('transitiveReduction', () => {
  it('drops an arrow that a longer path implies', () => {
    const reduced = transitiveReduction(['c>b', 'b>a', 'c>a', 'd>c', 'd>a'].map(arrow));
    expect(reduced).toEqual(['c>b', 'b>a', 'd>c'].map(arrow));
  });

  it('keeps both sides of a diamond', () => {
    const diamond = ['d>b', 'd>c', 'b>a', 'c>a'].map(arrow);
    expect(transitiveReduction(diamond)).toEqual(diamond);
  });
});

describe('toMermaid', () => {
  it('does not depend on the order in which imports are found', () => {
    const imports = ['b>a', 'c>a'].map(arrow);
    expect(toMermaid('LR', imports)).toBe('```mermaid\nflowchart LR\n  b --> a\n  c --> a\n```');
    expect(toMermaid('LR', imports.toReversed())).toBe(toMermaid('LR', imports));
  });
});
