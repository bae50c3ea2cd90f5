/** Watches: events, their order, and ends. */
import { describe, expect, it } from 'vitest';
import type { Selection, WatchEvent } from '../kube-api.js';
import { refTo } from '../kube-object.js';
import { type Probe, probe, probes } from './probe-resource.test-support.js';
import { type KubeApiSubject, type MakeSubject, nextEvents, pageOf, written } from './subject.test-support.js';

const writer = { fieldManager: 'first' };

export function describeWatches(make: MakeSubject): void {
  describe('watches', () => {
    const open = async (
      { api, namespace }: KubeApiSubject,
      over: Partial<Selection<Probe>> = {},
      timeoutSeconds = 300,
    ) => {
      const selection = { type: probes, namespace, ...over };
      const { resourceVersion } = pageOf(await api.list(selection));
      const abort = new AbortController();
      const events = api.watch(selection, { resourceVersion, timeoutSeconds }, abort.signal)[Symbol.asyncIterator]();
      return { events, abort, resourceVersion };
    };

    it('tells each change after the list, in order', async () => {
      const subject = await make();
      const { api, namespace } = subject;
      written(await api.create(probes, probe(namespace, 'before', {}), writer));
      const { events, abort } = await open(subject);
      const made = written(await api.create(probes, probe(namespace, 'a', { note: '1' }), writer));
      const changed = written(await api.replace(probes, { ...made, spec: { note: '2' } }, writer));
      await api.delete(refTo(probes, made));
      const [first, second, third] = await nextEvents(events, 3);
      expect(first).toEqual({ kind: 'added', object: made });
      expect(second).toEqual({ kind: 'modified', object: changed });
      expect(third).toMatchObject({ kind: 'deleted', object: { metadata: { name: 'a' } } });
      const version = third?.kind === 'deleted' ? third.object.metadata.resourceVersion : undefined;
      expect(Number(version)).toBeGreaterThan(Number(changed.metadata.resourceVersion));
      abort.abort();
    });

    it('goes on after any version that was seen', async () => {
      const subject = await make();
      const { api, namespace } = subject;
      const made = written(await api.create(probes, probe(namespace, 'a', { note: '1' }), writer));
      const changed = written(await api.replace(probes, { ...made, spec: { note: '2' } }, writer));
      const abort = new AbortController();
      const from = { resourceVersion: made.metadata.resourceVersion ?? '', timeoutSeconds: 300 };
      const events = api.watch({ type: probes, namespace }, from, abort.signal)[Symbol.asyncIterator]();
      expect(await nextEvents(events, 1)).toEqual([{ kind: 'modified', object: changed }]);
      abort.abort();
    });

    it('tells an object that leaves the selection as deleted', async () => {
      const subject = await make();
      const { api, namespace } = subject;
      const labelled = probe(namespace, 'a', {}, { labels: { l: '1' } });
      const { events, abort } = await open(subject, { labelSelector: 'l=1' });
      written(await api.create(probes, probe(namespace, 'b', {}), writer));
      const made = written(await api.create(probes, labelled, writer));
      written(await api.replace(probes, { ...made, metadata: { ...made.metadata, labels: { l: '2' } } }, writer));
      const kinds = (await nextEvents(events, 2)).map((event) => event.kind);
      expect(kinds).toEqual(['added', 'deleted']);
      abort.abort();
    });

    it('sends a bookmark about every minute, until the server ends it', async () => {
      const subject = await make();
      const { events, resourceVersion } = await open(subject, {}, 75);
      const all: WatchEvent<Probe>[] = [];
      const reading = (async () => {
        for (let next = await events.next(); next.done !== true; next = await events.next()) all.push(next.value);
      })();
      await subject.passTime(76_000);
      await reading;
      const [bookmark] = all;
      expect(new Set(all.map(({ kind }) => kind))).toEqual(new Set(['bookmark']));
      const version = bookmark?.kind === 'bookmark' ? Number(bookmark.resourceVersion) : 0;
      expect(version).toBeGreaterThanOrEqual(Number(resourceVersion));
    });

    it('ends when it is aborted', async () => {
      const subject = await make();
      const { events, abort } = await open(subject);
      const next = events.next();
      await subject.passTime(100);
      abort.abort();
      expect(await next).toMatchObject({ done: true });
    });

    it('is expired when it begins before what the server remembers', async () => {
      const { api, namespace } = await make();
      const signal = new AbortController().signal;
      const events = api.watch({ type: probes, namespace }, { resourceVersion: '1', timeoutSeconds: 300 }, signal);
      const all: WatchEvent<Probe>[] = [];
      for await (const event of events) all.push(event);
      expect(all).toEqual([{ kind: 'expired' }]);
    });
  });
}
