/** Server-side apply: owners of fields in the object, its status and its scale. */
import { describe, expect, it } from 'vitest';
import { ownersOfField } from '../field-managers.js';
import type { Writer } from '../kube-api.js';
import { refTo } from '../kube-object.js';
import { type Probe, probe, probes } from './probe-resource.test-support.js';
import { type MakeSubject, written } from './subject.test-support.js';

const first = { fieldManager: 'first' };
const second = { fieldManager: 'second' };

export function describeApply(make: MakeSubject): void {
  describe('apply', () => {
    const start = async () => {
      const { api, namespace, passTime } = await make();
      return {
        api,
        passTime,
        wanted: (spec: Probe['spec'], labels?: Record<string, string>) =>
          probe(namespace, 'a', spec, labels && { labels }),
      };
    };

    it('creates, and a second time changes nothing', async () => {
      const { api, wanted } = await start();
      const made = written(await api.apply(probes, wanted({ note: 'n' }), first));
      expect(made.spec).toEqual({ note: 'n' });
      const again = written(await api.apply(probes, wanted({ note: 'n' }), first));
      expect(again.metadata.resourceVersion).toBe(made.metadata.resourceVersion);
    });

    it('turns created fields into applied ones, so that an apply can remove them', async () => {
      const { api, wanted } = await start();
      const created = written(await api.create(probes, wanted({ note: 'n', replicas: 2 }), first));
      const entries = (created.metadata.managedFields ?? []).map((entry) => ({
        ...entry,
        operation: 'Apply' as const,
      }));
      const turned = written(await api.setManagedFields(probes, created, entries));
      expect(turned.metadata.managedFields).toMatchObject([{ manager: 'first', operation: 'Apply' }]);
      const applied = written(await api.apply(probes, wanted({ replicas: 2 }), first));
      expect(applied.spec).toEqual({ replicas: 2 });
      const stale = await api.setManagedFields(probes, created, entries);
      expect(stale).toMatchObject({ kind: 'refused', reason: 'conflict' });
    });

    it('checks an apply without writing it', async () => {
      const { api, wanted } = await start();
      const dry = { ...first, dryRun: true };
      written(await api.apply(probes, wanted({ note: 'n' }), dry));
      expect(await api.get(refTo(probes, wanted({})))).toBeUndefined();
    });

    it('lets two managers each have their fields', async () => {
      const { api, wanted } = await start();
      written(await api.apply(probes, wanted({ note: 'n' }), first));
      const both = written(await api.apply(probes, wanted({ replicas: 2 }, { l: '1' }), second));
      expect(both).toMatchObject({ spec: { note: 'n', replicas: 2 }, metadata: { labels: { l: '1' } } });
      expect(ownersOfField(both, 'spec.note').map(({ manager }) => manager)).toEqual(['first']);
      expect(ownersOfField(both, 'spec.replicas')).toMatchObject([{ manager: 'second', operation: 'Apply' }]);
    });

    it('refuses another value for a field of another manager, and says whose it is', async () => {
      const { api, wanted } = await start();
      written(await api.apply(probes, wanted({ note: 'n', replicas: 1 }), first));
      const refusal = await api.apply(probes, wanted({ note: 'other' }), second);
      expect(refusal).toMatchObject({ kind: 'refused', reason: 'conflict', causes: [{ field: '.spec.note' }] });
      if (refusal.kind !== 'refused') return;
      expect(refusal.causes).toHaveLength(1);
      expect(refusal.causes[0]?.message).toContain('"first"');
      expect(refusal.causes[0]?.reason).toBe('FieldManagerConflict');
    });

    it('shares a field when both want the same, and takes it by force', async () => {
      const { api, wanted } = await start();
      written(await api.apply(probes, wanted({ note: 'n' }), first));
      const shared = written(await api.apply(probes, wanted({ note: 'n' }), second));
      expect(
        ownersOfField(shared, 'spec.note')
          .map(({ manager }) => manager)
          .sort(),
      ).toEqual(['first', 'second']);
      const forced = written(await api.apply(probes, wanted({ note: 'mine' }), { ...second, force: true }));
      expect(forced.spec.note).toBe('mine');
      expect(ownersOfField(forced, 'spec.note').map(({ manager }) => manager)).toEqual(['second']);
    });

    it('removes what a manager leaves out, unless another has it too', async () => {
      const { api, wanted } = await start();
      written(await api.apply(probes, wanted({ note: 'n', replicas: 3 }), first));
      written(await api.apply(probes, wanted({ note: 'n' }), second));
      const less = written(await api.apply(probes, wanted({}), first));
      expect(less.spec).toEqual({ note: 'n' });
    });

    it('merges a list by its keys', async () => {
      const { api, wanted } = await start();
      written(await api.apply(probes, wanted({ items: [{ name: 'x', value: '1' }] }), first));
      const both = written(await api.apply(probes, wanted({ items: [{ name: 'y', value: '2' }] }), second));
      expect(both.spec.items).toHaveLength(2);
      const weighted = written(await api.apply(probes, wanted({ items: [{ name: 'x', weight: 5 }] }), second));
      expect(weighted.spec.items).toEqual([{ name: 'x', value: '1', weight: 5 }]);
      const refusal = await api.apply(probes, wanted({ items: [{ name: 'x', value: 'no' }] }), second);
      expect(refusal).toMatchObject({ kind: 'refused', reason: 'conflict' });
      const gone = written(await api.apply(probes, wanted({ note: 'left' }), first));
      expect(gone.spec).toEqual({ note: 'left', items: [{ name: 'x', weight: 5 }] });
    });

    it('owns what a create or a replace put', async () => {
      const { api, wanted } = await start();
      const made = written(await api.create(probes, wanted({ note: 'n', replicas: 1 }), first));
      expect(ownersOfField(made, 'spec.replicas')).toMatchObject([{ manager: 'first', operation: 'Update' }]);
      const replaced = written(await api.replace(probes, { ...made, spec: { note: 'n', replicas: 2 } }, second));
      expect(ownersOfField(replaced, 'spec.replicas').map(({ manager }) => manager)).toEqual(['second']);
      expect(ownersOfField(replaced, 'spec.note').map(({ manager }) => manager)).toEqual(['first']);
    });

    it('applies only to the version that is named', async () => {
      const { api, wanted } = await start();
      const made = written(await api.apply(probes, wanted({ note: '1' }), first));
      written(await api.apply(probes, wanted({ note: '2' }), first));
      const stale = {
        ...wanted({ note: '3' }),
        metadata: { ...wanted({}).metadata, resourceVersion: made.metadata.resourceVersion ?? '' },
      };
      expect(await api.apply(probes, stale, first)).toMatchObject({ kind: 'refused', reason: 'conflict' });
    });

    it('dates the last write of each manager', async () => {
      const { api, passTime, wanted } = await start();
      const dateOf = ({ metadata }: Probe, writer: Writer): string | undefined =>
        metadata.managedFields?.find(({ manager }) => manager === writer.fieldManager)?.time;
      const made = written(await api.apply(probes, wanted({ note: 'n' }), first));
      expect(Date.parse(dateOf(made, first) ?? '')).not.toBeNaN();
      await passTime(2_000);
      const both = written(await api.apply(probes, wanted({ replicas: 2 }), second));
      expect(dateOf(both, first)).toBe(dateOf(made, first));
      expect(dateOf(both, second)).not.toBe(dateOf(made, first));
      const later = written(await api.apply(probes, wanted({ note: 'm' }), first));
      expect(dateOf(later, first)).not.toBe(dateOf(made, first));
    });

    it('keeps status and spec apart', async () => {
      const { api, wanted } = await start();
      const status = { phase: 'ready' };
      const absent = await api.applyStatus(probes, { ...wanted({}), status }, first);
      expect(absent).toMatchObject({ kind: 'refused', reason: 'not-found' });
      const made = written(await api.apply(probes, { ...wanted({ note: 'n' }), status }, first));
      expect(made.status).toBeUndefined();
      const told = written(await api.applyStatus(probes, { ...wanted({ note: 'ignored' }), status }, first));
      expect(told).toMatchObject({ spec: { note: 'n' }, status, metadata: { generation: 1 } });
      const later = written(await api.apply(probes, wanted({ note: 'm' }), first));
      expect(later).toMatchObject({ spec: { note: 'm' }, status, metadata: { generation: 2 } });
      expect(ownersOfField(later, 'status.phase')).toMatchObject([{ manager: 'first', subresource: 'status' }]);
    });

    it('changes no other object of the name than the one with the given uid', async () => {
      const { api, wanted } = await start();
      const { metadata } = written(await api.apply(probes, wanted({ note: 'n' }), first));
      const named = (uid: string | undefined, note: string) => {
        const object = wanted({ note });
        return { ...object, metadata: { ...object.metadata, ...(uid !== undefined && { uid }) } };
      };
      const former = named('00000000-0000-0000-0000-000000000000', 'former');
      expect(await api.apply(probes, former, first)).toMatchObject({ kind: 'refused', reason: 'conflict' });
      expect(written(await api.apply(probes, named(metadata.uid, 'm'), first)).spec).toEqual({ note: 'm' });
    });

    it('scales, which others then see as a foreign field', async () => {
      const { api, wanted } = await start();
      const made = written(await api.apply(probes, wanted({ note: 'n', replicas: 1 }), first));
      written(await api.scale(refTo(probes, made), 4, second));
      const scaled = await api.get(refTo(probes, made));
      expect(scaled?.spec).toEqual({ note: 'n', replicas: 4 });
      expect(scaled && ownersOfField(scaled, 'spec.replicas').map(({ manager }) => manager)).toEqual(['second']);
      const refusal = await api.apply(probes, wanted({ note: 'n', replicas: 1 }), first);
      expect(refusal).toMatchObject({ reason: 'conflict', causes: [{ field: '.spec.replicas' }] });
      const absent = await api.scale({ ...refTo(probes, made), name: 'nobody' }, 1, second);
      expect(absent).toMatchObject({ kind: 'refused', reason: 'not-found' });
    });
  });
}
