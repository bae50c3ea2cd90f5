/** Objects of Seldon, KServe, Istio, Gateway API and Prometheus operator on the pages, against the definitions of these projects. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describeWithTool } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import { blocksOfRepository } from './code-blocks.js';
import { type Definition, documentsOf, schemaOf, schemaProblems } from './object-problems.js';

const folder = path.join(process.env['EQUIPOISE_REFERENCE_DIR'] ?? '', 'crds');
const reference = {
  name: 'reference',
  missing: 'set EQUIPOISE_REFERENCE_DIR to a folder with crds',
  isPresent: () => existsSync(path.join(folder, 'README.md')),
};
/** Groups with a definition in the folder. */
const GROUPS =
  /^(serving\.kserve\.io|mlops\.seldon\.io|machinelearning\.seldon\.io|.*\.istio\.io|gateway\.networking\.k8s\.io|monitoring\.coreos\.com)\//;

interface Shown {
  readonly at: string;
  readonly value: { readonly apiVersion: string; readonly kind: string };
}

const isShown = (value: unknown): value is Shown['value'] =>
  typeof value === 'object' && value !== null && 'apiVersion' in value && GROUPS.test(String(value.apiVersion));

function definitions(): readonly Definition[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.gz'))
    .flatMap((file) => documentsOf(gunzipSync(readFileSync(path.join(folder, file))).toString('utf8')).values)
    .filter((value): value is Definition => (value as Definition | null)?.kind === 'CustomResourceDefinition');
}

describeWithTool(reference, 'objects of other projects on the pages', () => {
  it('are valid, by the strict rules of an API server', () => {
    const shown = blocksOfRepository()
      .filter(({ language }) => language === 'yaml')
      .flatMap(({ page, line, text }): readonly Shown[] =>
        documentsOf(text)
          .values.filter(isShown)
          .map((value) => ({ at: `${page}:${line}`, value })),
      );
    const known = definitions();
    const problems = shown.flatMap(({ at, value }) => {
      const [group = '', version = ''] = value.apiVersion.split('/');
      const definition = known.find(({ spec }) => spec.group === group && spec.names.kind === value.kind);
      const schema = definition && schemaOf(definition, version);
      if (schema === undefined) return [`${at}: no definition of ${value.apiVersion} ${value.kind}`];
      return schemaProblems(value, schema).map((problem) => `${at}: ${value.kind}${problem}`);
    });
    expect(shown.length).toBeGreaterThan(3);
    expect(problems).toEqual([]);
  });
});
