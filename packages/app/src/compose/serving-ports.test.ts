import { expect, it } from 'vitest';
import { Reloads } from './reloads.js';
import { drainDeadlineMs, servingPortOptions } from './serving-ports.js';

it.each([
  ['of a quick pipeline', 100, false, 30_000],
  ['of one whose requests have longer', 45_000, false, 45_000],
  ['of a quick one that passes requests on', 100, true, 30_000],
  ['of one that waits twice the SLO for the other server first', 20_000, true, 60_000],
])('the drain %s', (_, latencyMs, shares, expected) => {
  expect(drainDeadlineMs({ latencyMs }, shares)).toBe(expected);
});

it.each([
  ['with many', 524_288, 2048],
  ['with a usual number', 16_384, 2048],
  ['with few', 4096, 1408],
  ['with very few', 1024, 64],
  ['with hardly any', 256, 32],
])('ports of a server %s file descriptors leave some for health and replicas', (_, mostFiles, expected) => {
  const sizes = { maxBodyBytes: 1, maxJsonBytes: 1, maxConnections: 2048, maxStreams: 1 };
  const ports = { host: '127.0.0.1', port: 0, grpcPort: 0, healthPort: 0 };
  const { maxConnections } = servingPortOptions(
    { ...sizes, ...ports },
    { reloads: new Reloads(), monitor: undefined, mostFiles },
  );
  expect(maxConnections).toBe(expected);
});
