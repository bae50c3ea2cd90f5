import { describe, expect, it } from 'vitest';
import { Reloads } from './reloads.js';

describe('a reload', () => {
  it('tells of every part, also behind one that is refused', async () => {
    const reloads = new Reloads();
    const error = new Error('line 3');
    reloads.add('first', () => true);
    reloads.add('second', () => {
      throw error;
    });
    reloads.add('third', async () => false);
    expect(await reloads.run()).toEqual([
      { what: 'first', kind: 'changed' },
      { what: 'second', kind: 'refused', error },
      { what: 'third', kind: 'unchanged' },
    ]);
  });

  it('waits for the one before it', async () => {
    const reloads = new Reloads();
    const said: string[] = [];
    let round = 0;
    reloads.add('part', async () => {
      const own = ++round;
      said.push(`begin ${own}`);
      await Promise.resolve();
      await Promise.resolve();
      said.push(`end ${own}`);
      return true;
    });
    await Promise.all([reloads.run(), reloads.run()]);
    expect(said).toEqual(['begin 1', 'end 1', 'begin 2', 'end 2']);
  });
});
