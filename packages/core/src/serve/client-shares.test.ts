import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { StageItem } from './request-state.js';
import { Bench, one } from './scheduler-bench.test-support.js';

const [heavy, light] = [{ name: 'heavy' }, { name: 'light' }];

/** `count` requests of a client with the same deadline, named by client and number. */
function send(bench: Bench, client: { readonly name: string }, count: number, { atMs = 0, leftMs = 100 } = {}): void {
  for (let i = 0; i < count; i++) {
    const context = `${client.name} ${i}`;
    bench.scheduler.arrive({ context, arrivedAtMs: atMs, deadlineAtMs: atMs + leftMs, client }, context);
  }
}

const drops = ({ log }: Bench): readonly string[] => log.filter((line) => line.includes('drop'));

describe('a client with many requests at once', () => {
  it('gives places in a full queue to a client with few', () => {
    const bench = new Bench(one, { maxQueueLength: 10 });
    bench.serve(0);
    send(bench, heavy, 11);
    send(bench, light, 2);
    expect(drops(bench)).toEqual(['0 drop heavy 10 queue-full', '0 drop heavy 9 queue-full']);
    // It has 8 items left, and no longer 8 more than the other one.
    send(bench, light, 1, { atMs: 1 });
    expect(drops(bench).slice(2)).toEqual(['1 drop light 0 queue-full']);
  });

  it('gives its last places if the wait of the other client would be too long, and no more than suffice', () => {
    const bench = new Bench(one, { maxWaitFraction: 0.8 });
    bench.serve(0, { serviceMs: 10 });
    // One runs and 17 wait, as long as twice the time that they have.
    send(bench, heavy, 20);
    expect(drops(bench)).toEqual(['0 drop heavy 19 wait-too-long']);
    send(bench, light, 1);
    expect(drops(bench).slice(1)).toEqual(['0 drop heavy 18 queue-full']);
  });

  it('gives no places of patient items, which are behind anyway', () => {
    const bench = new Bench(one, { maxWaitFraction: 0.8 });
    bench.serve(0, { serviceMs: 10 });
    send(bench, heavy, 5, { leftMs: 3_600_000 });
    send(bench, heavy, 17);
    send(bench, light, 2);
    expect(drops(bench)).toEqual(['0 drop heavy 16 queue-full']);
  });

  it('keeps its places if one batch of them does not suffice', () => {
    const bench = new Bench(one, { maxWaitFraction: 0.8 });
    bench.serve(0, { serviceMs: 10 });
    send(bench, heavy, 15);
    send(bench, light, 1, { leftMs: 60 });
    expect(drops(bench)).toEqual(['0 drop light 0 wait-too-long']);
  });

  it('is found by few looks at items, however many wait, and its last items too', () => {
    const bench = new Bench(one, { maxQueueLength: 4096 });
    bench.serve(0);
    // Neither in the order of deadlines nor against it.
    for (let i = 0; i < 4097; i++) send(bench, heavy, 1, { leftMs: 1000 + ((i * 2579) % 4099) });
    send(bench, light, 1, { leftMs: 4000 });
    expect(drops(bench)).toHaveLength(1);
    const looks = vi.spyOn(StageItem.prototype, 'deadlineAtMs', 'get');
    onTestFinished(() => looks.mockRestore());
    for (let i = 0; i < 100; i++) {
      send(bench, { name: `other ${i}` }, 1, { leftMs: 4000 });
      send(bench, heavy, 1, { leftMs: 4000 });
    }
    expect(drops(bench)).toHaveLength(201);
    expect(drops(bench).filter((line) => !line.includes('heavy'))).toEqual([]);
    expect(looks.mock.calls.length).toBeLessThan(200 * 40 * Math.log2(4096));
  });

  it('is known after items have started and left', () => {
    const bench = new Bench(one, { maxQueueLength: 20 });
    const replica = bench.serve(0, { maxBatchSize: 4 });
    send(bench, heavy, 1);
    send(bench, light, 12, { leftMs: 101 });
    send(bench, heavy, 8, { leftMs: 102 });
    send(bench, { name: 'third' }, 1, { leftMs: 103 });
    expect(drops(bench)).toEqual(['0 drop light 11 queue-full']);
    // Eight items of the light client start, which leaves it three.
    for (const atMs of [1, 2]) bench.finish(replica, atMs);
    send(bench, { name: 'fourth' }, 8, { atMs: 3 });
    send(bench, { name: 'fifth' }, 1, { atMs: 4 });
    expect(drops(bench).slice(1)).toEqual(['4 drop heavy 7 queue-full']);
  });

  it('is refused as usual if it is alone, or if the others have as many', () => {
    const bench = new Bench(one, { maxQueueLength: 20 });
    bench.serve(0);
    send(bench, heavy, 11);
    send(bench, light, 10);
    send(bench, heavy, 1, { atMs: 1 });
    send(bench, light, 1, { atMs: 2 });
    bench.arrive('nobody', 3);
    expect(drops(bench)).toEqual([
      '1 drop heavy 0 queue-full',
      '2 drop light 0 queue-full',
      '3 drop nobody queue-full',
    ]);
  });
});

describe('client batches', () => {
  const arrive = (bench: Bench, names: readonly string[], isBatched: boolean) => {
    const arrivals = names.map((context) => ({ context, arrivedAtMs: 0, deadlineAtMs: 100, client: light, isBatched }));
    bench.scheduler.arriveAll(arrivals, names);
  };

  it('do not let a single request wait for all their items', () => {
    const bench = new Bench(one, { maxWaitFraction: 0.8 });
    const replica = bench.serve(0, { serviceMs: 10 });
    arrive(
      bench,
      Array.from({ length: 15 }, (_, i) => `batch ${i}`),
      true,
    );
    arrive(bench, ['single'], false);
    bench.finish(replica, 10);
    bench.finish(replica, 20);
    expect(drops(bench)).toEqual([]);
    expect(bench.log.filter((line) => line.includes('run'))).toEqual([
      '0 run 0 [batch 0]',
      '10 run 0 [single]',
      '20 run 0 [batch 1]',
    ]);
  });

  it('leave half of the queue to single requests', () => {
    const bench = new Bench(one, { maxQueueLength: 10 });
    bench.serve(0);
    arrive(bench, ['running'], false);
    for (const name of ['first', 'second'])
      arrive(
        bench,
        Array.from({ length: 5 }, (_, i) => `${name} ${i}`),
        true,
      );
    arrive(bench, ['single', 'other'], false);
    expect(drops(bench).slice(0, 1)).toEqual(['0 drop second 4 queue-full']);
    arrive(
      bench,
      Array.from({ length: 9 }, (_, i) => `more ${i}`),
      false,
    );
    expect(drops(bench).filter((line) => line.includes('first'))).toEqual([]);
  });
});
