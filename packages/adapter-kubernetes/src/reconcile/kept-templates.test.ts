/** Files of older templates in a ConfigMap. */
import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../api/kube-object.js';
import { fileDigest } from '../render/config-files.js';
import type { ConfigMap } from '../render/manifest-types.js';
import { FILE, fileKeyOf } from '../render/pod-template.js';
import { type FileUse, withKeptFiles } from './kept-templates.js';

const withData = (data: Readonly<Record<string, string>>): ConfigMap => ({
  ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'shelf' } },
  data,
});
const keyOf = (text: string): string => fileKeyOf(fileDigest(text));
const holding = (...texts: readonly string[]): ConfigMap =>
  withData(Object.fromEntries(texts.map((text) => [keyOf(text), text])));
const textsOf = (object: KubeObject): readonly string[] => Object.values((object as ConfigMap).data).toSorted();
const use = (texts: readonly string[], isChanging = false): (() => FileUse) => {
  const digests = new Set(texts.map(fileDigest));
  return () => ({ digests, isChanging });
};

describe('withKeptFiles', () => {
  it.each([
    ['the file that pods mount', ['a'], ['a'], false, ['a', 'b']],
    ['no file that nothing mounts', ['a', 'c'], ['a'], false, ['a', 'b']],
    ['all files while a rollout is under way', ['a', 'c'], ['a'], true, ['a', 'b', 'c']],
    ['what is there once the wanted file is written', ['a', 'b', 'c'], ['b'], false, ['a', 'b', 'c']],
  ])('keeps %s', (_, live, used, isChanging, expected) => {
    expect(textsOf(withKeptFiles(holding('b'), holding(...live), use(used, isChanging)))).toEqual(expected);
  });

  it('has the same bytes when it is written', () => {
    const written = withKeptFiles(holding('b'), holding('a'), use(['a']));
    const again = withKeptFiles(holding('b'), written, use(['b']));
    expect(JSON.stringify(again)).toBe(JSON.stringify(written));
  });

  it('keeps the file of version 0.1.0 under its key, and leaves keys of others alone', () => {
    const live = withData({ [FILE]: 'a', note: 'of others' });
    expect(withKeptFiles(holding('b'), live, use(['a']))).toMatchObject({
      data: { [FILE]: 'a', [keyOf('b')]: 'b' },
    });
    expect(textsOf(withKeptFiles(holding('b'), live, use([])))).toEqual(['b']);
  });

  it('drops unused files first where all would be too large', () => {
    const [used, unused] = ['u'.repeat(300_000), 'n'.repeat(300_000)];
    const kept = withKeptFiles(holding('b'), holding(unused, used), use([used], true));
    expect(textsOf(kept)).toEqual(['b', used]);
  });

  it('changes no other object, and nothing where there is no live one', () => {
    const service: KubeObject = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'shelf' } };
    expect(withKeptFiles(service, holding('a'), use(['a']))).toBe(service);
    const config = holding('b');
    expect(withKeptFiles(config, undefined, use(['a']))).toBe(config);
  });
});
