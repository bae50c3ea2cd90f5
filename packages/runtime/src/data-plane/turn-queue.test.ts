import { expect, it } from 'vitest';
import { Listeners, TurnQueue } from './turn-queue.js';

function queue() {
  const defects: unknown[] = [];
  return { turns: new TurnQueue((error) => defects.push(error)), defects };
}

it('runs a step to its end before the next, in order, within the call from outside', () => {
  const { turns, defects } = queue();
  const seen: string[] = [];
  turns.take(() => {
    turns.take(() => {
      seen.push('b');
      turns.take(() => seen.push('d'));
    });
    turns.take(() => seen.push('c'));
    seen.push('a');
  });
  expect([seen, defects]).toEqual([['a', 'b', 'c', 'd'], []]);
});

it('reports a step that throws and runs those that wait', () => {
  const { turns, defects } = queue();
  const seen: string[] = [];
  const broken = new Error('broken');
  turns.take(() => {
    turns.take(() => seen.push('a'));
    throw broken;
  });
  expect([seen, defects]).toEqual([['a'], [broken]]);
  turns.take(() => seen.push('b'));
  expect(seen).toEqual(['a', 'b']);
});

it('goes on when the listener throws too', async () => {
  const turns = new TurnQueue(() => {
    throw new Error('listener of defects');
  });
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
  const seen: string[] = [];
  turns.take(() => {
    turns.take(() => seen.push('a'));
    throw new Error('broken');
  });
  expect([seen, (await warned).message]).toEqual([['a'], 'listener of defects']);
});

it('tells every listener of each event in order, after the turn and despite a listener that throws', () => {
  const { turns, defects } = queue();
  const seen: string[] = [];
  const [first, second] = [new Listeners<number>(turns), new Listeners<string>(turns)];
  first.add((event) => seen.push(`x${event}`));
  first.add((event) => {
    throw event;
  });
  first.add((event) => {
    seen.push(`y${event}`);
    if (event === 1) first.tell(3);
  });
  second.add((event) => seen.push(event));
  turns.take(() => {
    first.tell(1);
    second.tell('between');
    first.tell(2);
    seen.push('turn');
  });
  expect(seen).toEqual(['turn', 'x1', 'y1', 'between', 'x2', 'y2', 'x3', 'y3']);
  expect(defects).toEqual([1, 2, 3]);
});
