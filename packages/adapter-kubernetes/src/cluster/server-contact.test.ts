import { ManualClock } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import { MemoryKube } from '../api/memory/memory-kube.test-support.js';
import { MemoryKubeApi } from '../api/memory/memory-kube-api.test-support.js';
import { clusterResources } from '../test-cluster/memory/memory-cluster.test-support.js';
import { ServerContact } from './server-contact.js';

describe('ServerContact', () => {
  it.each(['down', 'silent'] as const)('follows a server that is %s for a while', async (line) => {
    const clock = new ManualClock();
    const api = new MemoryKubeApi(new MemoryKube(clock, clusterResources));
    const contact = new ServerContact({ api, clock }, 'n');
    const abort = new AbortController();
    expect(contact.isFresh).toBe(false);
    const running = contact.run(abort.signal);
    await clock.advanceTo(1_000);
    expect(contact.isFresh).toBe(true);
    api.line = line;
    await clock.advanceTo(10_000);
    expect(contact.isFresh).toBe(true);
    await clock.advanceTo(20_000);
    expect(contact.isFresh).toBe(false);
    if (line === 'down') {
      api.line = 'up';
      await clock.advanceTo(26_000);
      expect(contact.isFresh).toBe(true);
    }
    abort.abort();
    await running;
  });
});
