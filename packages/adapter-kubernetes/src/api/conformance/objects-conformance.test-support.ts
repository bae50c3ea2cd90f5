/** Create, read, replace, delete; versions, finalizers, refusals. */
import { describe, expect, it } from 'vitest';
import { refTo } from '../kube-object.js';
import { LONGEST_NOTE, probe, probes } from './probe-resource.test-support.js';
import { type MakeSubject, pageOf, written } from './subject.test-support.js';

const writer = { fieldManager: 'first' };

export function describeObjects(make: MakeSubject): void {
  describe('objects', () => {
    it('gives back what was created, with what the server adds', async () => {
      const { api, namespace } = await make();
      const ref = { type: probes, namespace, name: 'a' };
      expect(await api.get(ref)).toBeUndefined();
      const created = written(
        await api.create(probes, probe(namespace, 'a', { note: 'n' }, { labels: { l: '1' } }), writer),
      );
      expect(created).toMatchObject({
        kind: 'Probe',
        spec: { note: 'n' },
        metadata: { labels: { l: '1' }, generation: 1 },
      });
      expect(created.metadata.uid).toBeTruthy();
      expect(created.metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      expect(await api.get(ref)).toEqual(created);
    });

    it('refuses a second one of the name', async () => {
      const { api, namespace } = await make();
      written(await api.create(probes, probe(namespace, 'a', {}), writer));
      const again = await api.create(probes, probe(namespace, 'a', {}), writer);
      expect(again).toMatchObject({ kind: 'refused', reason: 'already-exists' });
    });

    it('replaces only the version that is named', async () => {
      const { api, namespace } = await make();
      const first = written(await api.create(probes, probe(namespace, 'a', { note: '1' }), writer));
      const second = written(await api.replace(probes, { ...first, spec: { note: '2' } }, writer));
      expect(second.metadata.resourceVersion).not.toBe(first.metadata.resourceVersion);
      const stale = await api.replace(probes, { ...first, spec: { note: '3' } }, writer);
      expect(stale).toMatchObject({ kind: 'refused', reason: 'conflict' });
      expect((await api.get(refTo(probes, first)))?.spec).toEqual({ note: '2' });
      const absent = await api.replace(probes, { ...first, metadata: { ...first.metadata, name: 'b' } }, writer);
      expect(absent).toMatchObject({ kind: 'refused' });
    });

    it('counts changes of the spec alone as generations', async () => {
      const { api, namespace } = await make();
      const first = written(await api.create(probes, probe(namespace, 'a', { note: '1' }), writer));
      const labelled = { ...first, metadata: { ...first.metadata, labels: { l: '1' } } };
      const second = written(await api.replace(probes, labelled, writer));
      expect(second.metadata.generation).toBe(1);
      const third = written(await api.replace(probes, { ...second, spec: { note: '2' } }, writer));
      expect(third.metadata.generation).toBe(2);
    });

    it('deletes what the preconditions name', async () => {
      const { api, namespace } = await make();
      const ref = { type: probes, namespace, name: 'a' };
      expect(await api.delete(ref)).toMatchObject({ kind: 'refused', reason: 'not-found' });
      const { metadata } = written(await api.create(probes, probe(namespace, 'a', {}), writer));
      const other = await api.delete(ref, { uid: '00000000-0000-0000-0000-000000000000' });
      expect(other).toMatchObject({ kind: 'refused', reason: 'conflict' });
      expect(await api.delete(ref, { uid: metadata.uid ?? '' })).toEqual({ kind: 'deleted' });
      expect(await api.get(ref)).toBeUndefined();
    });

    it('keeps a deleted object until its last finalizer is gone', async () => {
      const { api, namespace } = await make();
      const finalizers = ['test.equipoise.dev/hold'];
      const made = written(await api.create(probes, probe(namespace, 'a', {}, { finalizers }), writer));
      expect(await api.delete(refTo(probes, made))).toEqual({ kind: 'deleted' });
      const held = await api.get(refTo(probes, made));
      expect(held?.metadata.deletionTimestamp).toBeTruthy();
      if (held === undefined) return;
      written(await api.replace(probes, { ...held, metadata: { ...held.metadata, finalizers: [] } }, writer));
      expect(await api.get(refTo(probes, made))).toBeUndefined();
    });

    it('sets the finalizers of the version that is named, also those that others own', async () => {
      const { api, namespace } = await make();
      const finalizers = ['test.equipoise.dev/hold'];
      const made = written(await api.create(probes, probe(namespace, 'a', {}, { finalizers }), writer));
      const other = { fieldManager: 'second' };
      const free = written(await api.setFinalizers(probes, made, [], other));
      expect(free.metadata.finalizers ?? []).toEqual([]);
      const stale = await api.setFinalizers(probes, made, finalizers, other);
      expect(stale).toMatchObject({ kind: 'refused', reason: 'conflict' });
      const held = written(await api.setFinalizers(probes, free, finalizers, other));
      expect([held.metadata.finalizers, held.metadata.generation]).toEqual([finalizers, 1]);
      await api.delete(refTo(probes, made));
      const deleted = await api.get(refTo(probes, made));
      if (deleted === undefined) throw new Error('its finalizer keeps it');
      written(await api.setFinalizers(probes, deleted, [], other));
      expect(await api.get(refTo(probes, made))).toBeUndefined();
      expect(await api.setFinalizers(probes, deleted, [], other)).toMatchObject({ reason: 'not-found' });
    });

    it('names the field of an invalid object', async () => {
      const { api, namespace } = await make();
      const result = await api.create(probes, probe(namespace, 'a', { note: 'x'.repeat(LONGEST_NOTE + 1) }), writer);
      expect(result).toMatchObject({ kind: 'refused', reason: 'invalid', causes: [{ field: 'spec.note' }] });
    });

    it('lists by namespace, by labels and by name, page by page of one version', async () => {
      const { api, namespace } = await make();
      const names = ['a', 'b', 'c', 'd', 'e'];
      for (const [index, name] of names.entries()) {
        const labels = { parity: index % 2 === 0 ? 'even' : 'odd' };
        written(await api.create(probes, probe(namespace, name, {}, { labels }), writer));
      }
      const namesOf = async (selection: { labelSelector?: string; fieldSelector?: string }) =>
        pageOf(await api.list({ type: probes, namespace, ...selection })).objects.map(({ metadata }) => metadata.name);
      expect(await namesOf({})).toEqual(names);
      expect(await namesOf({ labelSelector: 'parity=odd' })).toEqual(['b', 'd']);
      expect(await namesOf({ labelSelector: 'parity!=odd' })).toEqual(['a', 'c', 'e']);
      expect(await namesOf({ fieldSelector: 'metadata.name=c' })).toEqual(['c']);

      const seen: string[] = [];
      const versions = new Set<string>();
      let continueToken: string | undefined;
      do {
        const page = pageOf(
          await api.list(
            { type: probes, namespace },
            { limit: 2, ...(continueToken !== undefined && { continueToken }) },
          ),
        );
        expect(page.objects.length).toBeLessThanOrEqual(2);
        seen.push(...page.objects.map(({ metadata }) => metadata.name));
        versions.add(page.resourceVersion);
        ({ continueToken } = page);
      } while (continueToken !== undefined);
      expect(seen).toEqual(names);
      expect(versions.size).toBe(1);
    });

    it('says of objects in a list what they are', async () => {
      const { api, namespace } = await make();
      const made = written(await api.create(probes, probe(namespace, 'a', {}), writer));
      expect(pageOf(await api.list({ type: probes, namespace })).objects).toEqual([made]);
    });

    it('rejects with CLUSTER_REFUSED for a resource that does not exist', async () => {
      const { api, namespace } = await make();
      const type = { ...probes, plural: 'nothings' };
      await expect(api.list({ type, namespace })).rejects.toMatchObject({ code: 'CLUSTER_REFUSED', retryable: false });
    });
  });
}
