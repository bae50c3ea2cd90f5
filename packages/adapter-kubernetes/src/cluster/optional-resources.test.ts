import { AppError } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import type { KubeApi } from '../api/kube-api.js';
import { engineTypes } from './observed-objects.js';
import { optionalResources } from './optional-resources.js';

const [type] = engineTypes;
if (type === undefined) throw new Error('engines have objects');

function apiWith(error: unknown): KubeApi {
  return { list: () => Promise.reject(error) } as unknown as KubeApi;
}

const refused = (httpStatus: number) => new AppError('CLUSTER_REFUSED', 'no', { details: { httpStatus } });

it.each([404, 403])('a resource that answers %s is empty, and is listed again after a minute', async (httpStatus) => {
  const clock = new ManualClock();
  const api = optionalResources(apiWith(refused(httpStatus)), clock);
  const page = await api.list({ type });
  expect(page).toMatchObject({ kind: 'page', objects: [] });
  const from = { resourceVersion: (page as { readonly resourceVersion: string }).resourceVersion, timeoutSeconds: 300 };
  const events: unknown[] = [];
  const following = (async () => {
    for await (const event of api.watch({ type }, from, new AbortController().signal)) events.push(event);
  })();
  await clock.advanceTo(59_000);
  expect(events).toEqual([]);
  await clock.advanceTo(60_000);
  await following;
  expect(events).toEqual([{ kind: 'expired' }]);
});

it('takes no right that is lost for an empty list, but a definition that is gone', async () => {
  const answers: (AppError | undefined)[] = [undefined, refused(403), refused(404)];
  const page = { kind: 'page', objects: [], resourceVersion: '7' };
  const list = () => {
    const error = answers.shift();
    return error === undefined ? Promise.resolve(page) : Promise.reject(error);
  };
  const api = optionalResources({ list } as unknown as KubeApi, new ManualClock());
  expect(await api.list({ type })).toEqual(page);
  await expect(api.list({ type })).rejects.toMatchObject({ details: { httpStatus: 403 } });
  expect(await api.list({ type })).toMatchObject({ kind: 'page', objects: [] });
});

it('passes other failures on', async () => {
  const failure = refused(500);
  await expect(optionalResources(apiWith(failure), new ManualClock()).list({ type })).rejects.toBe(failure);
});
