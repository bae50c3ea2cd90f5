import { expect, it } from 'vitest';
import { leases } from '../cluster/lease-elector.js';
import { boundedApi, RequestSlots } from './bounded-api.js';
import type { KubeApi } from './kube-api.js';

/** Ends the macrotask, so that all promises that can settle have settled. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

it('has at most so many requests under way, of all clients, in order, and goes on after failures', async () => {
  const begun: string[] = [];
  const ends: ((error?: Error) => void)[] = [];
  const get = (async ({ name }: { readonly name: string }) => {
    begun.push(name);
    await new Promise<void>((resolve, reject) => ends.push((error) => (error ? reject(error) : resolve())));
    return undefined;
  }) as KubeApi['get'];
  const refuse = () => Promise.reject(new Error('not asked'));
  const applies = ['apply', 'applyStatus', 'setManagedFields', 'setFinalizers'] as const;
  const names = ['list', 'create', 'replace', ...applies, 'scale', 'delete'] as const;
  const rest = Object.fromEntries(names.map((name) => [name, refuse]));
  const api = { ...rest, get, watch: () => [] } as unknown as KubeApi;
  const slots = new RequestSlots(2);
  const clients = [boundedApi(api, slots), boundedApi(api, slots)];
  const asked = ['a', 'b', 'c', 'd'].map((name, index) =>
    (clients[index % 2] as KubeApi).get({ type: leases, namespace: 'n', name }).catch((error: Error) => error.message),
  );
  await settled();
  expect(begun).toEqual(['a', 'b']);
  ends[0]?.(new Error('lost'));
  await settled();
  expect(begun).toEqual(['a', 'b', 'c']);
  ends[1]?.();
  ends[2]?.();
  await settled();
  expect(begun).toEqual(['a', 'b', 'c', 'd']);
  ends[3]?.();
  expect(await Promise.all(asked)).toEqual(['lost', undefined, undefined, undefined]);
});

it('lets statuses and events wait for all other requests', async () => {
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const verbs = ['get', 'list', 'create', 'replace', 'apply', 'applyStatus', 'setManagedFields', 'setFinalizers'];
  const calls = [...verbs, 'scale', 'delete'].map((verb) => {
    const call = async ({ kind = '' }: { readonly kind?: string }): Promise<void> => {
      begun.push(`${verb} ${kind}`.trim());
      await new Promise<void>((resolve) => ends.push(resolve));
    };
    return [verb, call] as const;
  });
  const api = { ...Object.fromEntries(calls), watch: () => [] } as unknown as KubeApi;
  const client = boundedApi(api, new RequestSlots(1));
  const object = { apiVersion: 'v1', kind: 'Lease', metadata: { name: 'a' }, spec: {} };
  const events = { ...leases, kind: 'Event' };
  const writer = { fieldManager: 'op' };
  const asked = [
    client.delete({ type: leases, name: 'a' }),
    client.applyStatus(leases, object, writer),
    client.create(events, object, writer),
    client.apply(events, object, writer),
    client.create(leases, object, writer),
    client.apply(leases, object, writer),
  ];
  for (const _ of asked) {
    await settled();
    ends.shift()?.();
  }
  await Promise.all(asked);
  const [first, ...later] = begun;
  expect([first, later]).toEqual([
    'delete',
    ['create Lease', 'apply Lease', 'applyStatus Lease', 'create Event', 'apply Event'],
  ]);
});
