import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { checkDocument } from '../check-document.js';
import { readText } from '../load-accuracy-table.js';
import type { Finding, Problem } from '../problem.js';
import type { JsonSchemaNode } from '../schema/pipeline-json-schema.js';
import { withoutUndefined } from '../without-undefined.js';
import { type ExperimentGrid, gridLoadName } from './experiment-grid.js';
import { experimentSchema } from './experiment-schema.js';
import { gridFindings } from './grid-findings.js';

/** Grid, or all its problems by position. `problemAt` locates problems of the files that it names. */
export type ExperimentFileResult =
  | { readonly kind: 'valid'; readonly grid: ExperimentGrid; readonly problemAt: (finding: Finding) => Problem }
  | { readonly kind: 'invalid'; readonly problems: readonly Problem[] };

const schema = {
  zod: experimentSchema,
  json: z.toJSONSchema(experimentSchema, { io: 'input' }) as JsonSchemaNode,
};

/** Reads and checks a grid, whose loads are files or `shippedLoads`. Throws FILE_NOT_FOUND or FILE_UNREADABLE. */
export async function loadExperimentFile(path: string, shippedLoads: readonly string[]): Promise<ExperimentFileResult> {
  const filePath = resolve(path);
  const baseDir = dirname(filePath);
  const checked = checkDocument(await readText(filePath, 'experiment grid'), path, {
    schema,
    semanticFindings: (document) => gridFindings(document, { baseDir, shippedLoads }),
  });
  if (checked.kind === 'invalid') return checked;
  const { metadata, spec } = checked.output;
  const { loads, seeds, loadMs, ...rest } = spec;
  const described = loads.map((load) => (typeof load === 'string' ? { load } : load));
  const grid: ExperimentGrid = {
    ...rest,
    ...{ name: metadata.name, baseDir },
    loads: described.map((load) => ({ ...withoutUndefined(load), name: gridLoadName(load) })),
    seeds: Array.isArray(seeds) ? seeds : Array.from({ length: seeds.count }, (_, i) => seeds.from + i),
    ...(loadMs !== undefined && { loadMs }),
  };
  return { kind: 'valid', grid, problemAt: checked.problemAt };
}
