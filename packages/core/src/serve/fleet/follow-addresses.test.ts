import { describe, expect, it } from 'vitest';
import { replicaId } from '../../model/ids.js';
import { followSteps } from './follow-addresses.js';

describe('followSteps', () => {
  it.each([
    ['as many as there are addresses', ['a', 'b', 'c'], ['a'], 64, [], 3],
    ['each address once', ['a', 'a', 'b'], ['a'], 64, [], 2],
    ['at most the bound', ['a', 'b', 'c'], ['a'], 2, [], 2],
    ['at least one', [], [], 64, [], 1],
    ['one fewer, without the replica whose address is gone', ['b', 'c'], ['a', 'b', 'c'], 64, [0], 2],
    ['a successor for the replica whose address is gone', ['b', 'c'], ['a', 'b'], 64, [0], 2],
    ['a successor first where no other replica is ready', ['b'], ['a'], 64, [], 2],
    ['the successor alone once it is ready', ['b'], ['a', 'b'], 64, [0], 1],
    ['all of the addresses where no replica is ready', ['a', 'b'], [], 64, [], 2],
    ['no replica that is not on an address', ['a', 'b'], ['a', undefined], 64, [1], 2],
  ] as const)('gives %s', (_, addresses, ready, mostReplicas, released, replicas) => {
    const all = ready.map((address, index) => ({ replicaId: replicaId(`r-${index}`), address }));
    const release = released.map((index) => replicaId(`r-${index}`));
    expect(followSteps({ addresses, ready: all, mostReplicas })).toEqual({ release, replicas });
  });
});
