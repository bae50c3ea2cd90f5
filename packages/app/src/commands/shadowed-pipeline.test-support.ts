/** A served pipeline of one stage `classify` that compares all answers with the shadow `large`. */
import type { Serving } from '../equipoise.test-support.js';

interface ShadowedPipeline {
  readonly name: string;
  /** Parameters of each variant, in YAML; empty for none. */
  readonly variants: Readonly<Record<string, string>>;
  /** More fields of the stage, in YAML. */
  readonly stage?: readonly string[];
}

const variantLines = ([name, parameters]: readonly [string, string]): string => `        - name: ${name}
          accuracy: { value: 0.95 }
          parameters: { ${parameters} }
          resources: { cpuCores: 0.25 }
          profile: [{ cpuCores: 1, batchSize: 1, meanMs: 10, p99Ms: 20 }]
`;

/** Pipeline file. Its module is `classify.mjs`; the variant `small` is pinned. */
export const shadowedPipeline = ({ name, variants, stage = [] }: ShadowedPipeline): string =>
  `apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: ${name} }
spec:
  slo: { latencyMs: 5000 }
  budget: { cpuCores: 1 }
  sources: [{ name: x, datatype: INT32, shape: [1] }]
  stages:
    - name: classify
      module: ./classify.mjs
${stage.map((line) => `      ${line}\n`).join('')}      shadow: { variant: large, fraction: 1 }
      pins: { variant: small }
      variants:
${Object.entries(variants).map(variantLines).join('')}`;

export const JSON_HEADERS = { 'content-type': 'application/json' };

export function inferX({ url }: Serving, pipeline: string, x: number): Promise<Response> {
  const body = JSON.stringify({ inputs: [{ name: 'x', datatype: 'INT32', shape: [1], data: [x] }] });
  return fetch(`${url}/v2/models/${pipeline}/infer`, { method: 'POST', headers: JSON_HEADERS, body });
}

export type ShadowResult = 'compared' | 'failed' | 'skipped';

/** Copies of items so far, by result and, if given, by the variant that answered. */
export async function shadowedItems({ url }: Serving, result: ShadowResult, variant?: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const lines = metrics.split('\n').filter((line) => line.startsWith('equipoise_shadow_items_total{'));
  const found = lines.find(
    (line) => line.includes(`result="${result}"`) && (variant === undefined || line.includes(`variant="${variant}"`)),
  );
  return Number(found?.split(' ').at(-1) ?? 0);
}
